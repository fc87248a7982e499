//! The hospital's identity provider: OpenID Connect, code flow with PKCE.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::{Certificate, Client, RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::SignOn;
use crate::config::check::is_sealed;
use crate::view::access::{Person, Role};

/// A provider that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 1 << 20;
/// What a signature may be made with: public keys only, never a shared secret.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::PS384,
];

/// Why the provider does not vouch for somebody.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// It does not answer, or not in JSON.
    #[error("the provider does not answer as it should: {0}")]
    Http(#[from] reqwest::Error),
    /// It says something that it must not say.
    #[error("the provider's word is refused: {0}")]
    Word(&'static str),
    /// The token is not good.
    #[error("the provider's token is refused: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// The person has no role of ours.
    #[error("{0} has no role here: the claim {1} is viewer, engineer, auditor or admin")]
    NoRole(String, String),
}

/// Where the provider is asked what.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// What binds an answer to its question.
pub(super) struct Secrets {
    pub(super) nonce: String,
    pub(super) verifier: String,
}

pub(super) struct Provider {
    config: SignOn,
    client: Client,
    back: String,
}

impl Provider {
    /// The provider of a configuration; people come back to a page of ours.
    pub(super) fn new(config: SignOn, url: &str) -> Result<Self, ProviderError> {
        let mut client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(ca) = &config.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(ca)?);
        }
        let back = format!("{url}/v1/sign-on/back");
        Ok(Self { config, client: client.build()?, back })
    }

    /// A bounded body, as JSON.
    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let mut answer = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > BODY_BYTES_MAX {
                return Err(ProviderError::Word("it says more than a megabyte"));
            }
        }
        serde_json::from_slice(&body).map_err(|_| ProviderError::Word("it does not speak JSON"))
    }

    async fn discover(&self) -> Result<Discovery, ProviderError> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let place = format!("{issuer}/.well-known/openid-configuration");
        let found: Discovery = self.json(self.client.get(place)).await?;
        if found.issuer != self.config.issuer {
            let other = "it says that it is another issuer than the configured one";
            return Err(ProviderError::Word(other));
        }
        let Discovery { authorization_endpoint, token_endpoint, jwks_uri, .. } = &found;
        if ![authorization_endpoint, token_endpoint, jwks_uri].into_iter().all(|url| is_sealed(url))
        {
            return Err(ProviderError::Word("it has addresses without TLS"));
        }
        Ok(found)
    }

    /// Where a person is sent to.
    pub(super) async fn question(
        &self,
        state: &str,
        secrets: &Secrets,
    ) -> Result<Url, ProviderError> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(secrets.verifier.as_bytes()));
        let place = self.discover().await?.authorization_endpoint;
        let mut url = Url::parse(&place)
            .map_err(|_| ProviderError::Word("it sends people to what is no address"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client)
            .append_pair("redirect_uri", &self.back)
            .append_pair("scope", &self.config.scope)
            .append_pair("state", state)
            .append_pair("nonce", &secrets.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who it is for whom the provider has given a code, and what it calls them for ever.
    pub(super) async fn answer(
        &self,
        code: &str,
        secrets: &Secrets,
    ) -> Result<(Person, String), ProviderError> {
        let discovery = self.discover().await?;
        let asked = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.back),
            ("code_verifier", &secrets.verifier),
        ];
        let request = self.client.post(discovery.token_endpoint).form(&asked);
        let request = request.basic_auth(&self.config.client, Some(&self.config.secret));
        let tokens: Tokens = self.json(request).await?;
        let keys: JwkSet = self.json(self.client.get(discovery.jwks_uri)).await?;
        let claims = self.check(&tokens.id_token, &keys, &secrets.nonce)?;
        let subject = text(&claims, "sub").unwrap_or_default().chars().take(255).collect();
        Ok((self.person(&claims)?, subject))
    }

    /// The claims of a token that the provider has signed, for us, now, in answer to our question.
    fn check(
        &self,
        token: &str,
        keys: &JwkSet,
        nonce: &str,
    ) -> Result<Map<String, Value>, ProviderError> {
        let header = jsonwebtoken::decode_header(token)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(ProviderError::Word("it signs in a way that is not taken"));
        }
        let key = match &header.kid {
            Some(kid) => keys.find(kid),
            None => keys.keys.first().filter(|_| keys.keys.len() == 1),
        };
        let key = key.ok_or(ProviderError::Word("it signs with a key that it does not name"))?;
        let mut wanted = Validation::new(header.alg);
        wanted.set_issuer(&[&self.config.issuer]);
        wanted.set_audience(&[&self.config.client]);
        wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let key = DecodingKey::from_jwk(key)?;
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &wanted)?.claims;
        if text(&claims, "nonce") != Some(nonce) {
            return Err(ProviderError::Word("its token answers another question"));
        }
        if text(&claims, "azp").is_some_and(|to| to != self.config.client) {
            return Err(ProviderError::Word("its token is for another program"));
        }
        Ok(claims)
    }

    fn person(&self, claims: &Map<String, Value>) -> Result<Person, ProviderError> {
        let name = ["preferred_username", "email", "sub"].into_iter();
        let name = name.filter_map(|claim| text(claims, claim)).find(|name| !name.is_empty());
        let name: String =
            name.unwrap_or("?").chars().filter(|c| !c.is_control()).take(64).collect();
        // Nobody of the provider is taken for an account of ours.
        let name = format!("{name} (sign-on)");
        let claim = &self.config.role_claim;
        let role = text(claims, claim).and_then(Role::from_name);
        let role = role.ok_or_else(|| ProviderError::NoRole(name.clone(), claim.clone()))?;
        let ward = self.config.ward_claim.as_ref().map(|claim| {
            // Who should be bound to a ward, and to which is not said, sees none.
            text(claims, claim).unwrap_or_default().to_owned()
        });
        Ok(Person { name, role, ward })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use rcgen::{KeyPair, PublicKeyData};
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.example";

    /// A key of the provider, and how it makes it known.
    fn key(kid: &str) -> (EncodingKey, Value) {
        let pair = KeyPair::generate().unwrap();
        let point = pair.der_bytes();
        let (x, y) = point[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        let known = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y});
        (EncodingKey::from_ec_der(pair.serialized_der()), known)
    }

    fn provider() -> Provider {
        let config = SignOn {
            issuer: ISSUER.into(),
            client: "wardline".into(),
            secret: "secret".into(),
            ca: None,
            scope: "openid".into(),
            role_claim: "role".into(),
            ward_claim: None,
        };
        Provider::new(config, "https://page.example").unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": "wardline", "sub": "1", "exp": 4_000_000_000_u64, "nonce": "n",
            "preferred_username": "ada", "role": "auditor",
        })
    }

    fn signed(claims: &Value, kid: &str, key: &EncodingKey) -> String {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    }

    #[test]
    fn a_token_is_good_only_from_the_provider_for_us_now_and_for_our_question() {
        let (provider, (good, known), (other, _)) = (provider(), key("a"), key("b"));
        let keys: JwkSet = serde_json::from_value(json!({"keys": [known]})).unwrap();
        let check = |token: &str| provider.check(token, &keys, "n");
        let found = check(&signed(&claims(), "a", &good)).unwrap();
        let person = provider.person(&found).unwrap();
        assert_eq!((person.name.as_str(), person.role), ("ada (sign-on)", Role::Auditor));

        for (claim, value) in [
            ("iss", json!("https://other.example")),
            ("aud", json!("another")),
            ("exp", json!(1_000_000_000)),
            ("exp", Value::Null),
            ("sub", Value::Null),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
            ("azp", json!("another")),
        ] {
            let mut wrong = claims();
            match value {
                Value::Null => drop(wrong.as_object_mut().unwrap().remove(claim)),
                value => wrong[claim] = value,
            }
            assert!(check(&signed(&wrong, "a", &good)).is_err(), "{claim}");
        }
        assert!(check(&signed(&claims(), "a", &other)).is_err(), "another's signature");
        assert!(check(&signed(&claims(), "b", &good)).is_err(), "a key that is not known");
        let shared = EncodingKey::from_secret(b"secret");
        let header = Header { kid: Some("a".into()), ..Header::new(Algorithm::HS256) };
        let shared = jsonwebtoken::encode(&header, &claims(), &shared).unwrap();
        assert!(check(&shared).is_err(), "a shared secret is no signature");
    }

    #[test]
    fn who_has_no_role_or_should_have_a_ward_and_has_none_sees_nothing() {
        let mut provider = provider();
        let mut claims = claims().as_object().unwrap().clone();
        provider.config.ward_claim = Some("ward".into());
        assert_eq!(provider.person(&claims).unwrap().ward.as_deref(), Some(""));
        claims.insert("ward".into(), json!("ICU"));
        assert_eq!(provider.person(&claims).unwrap().ward.as_deref(), Some("ICU"));
        claims.insert("role".into(), json!("surgeon"));
        assert!(matches!(provider.person(&claims), Err(ProviderError::NoRole(..))));
        claims.insert("role".into(), json!(["admin"]));
        assert!(provider.person(&claims).is_err());
    }
}
