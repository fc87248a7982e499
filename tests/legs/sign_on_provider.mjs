// An identity provider with three people: `node sign_on_provider.mjs PORT PAGE`.
import { Provider } from "oidc-provider";

const [port, page] = process.argv.slice(2);
const people = {
  ada: { wardline_role: "engineer", wardline_ward: "ICU" },
  bob: { wardline_role: "surgeon", wardline_ward: "ICU" },
  eve: { wardline_role: "admin" },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "wardline",
    client_secret: "a secret of both",
    redirect_uris: [`${page}/v1/sign-on/back`],
    grant_types: ["authorization_code"],
    response_types: ["code"],
  }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["preferred_username", "wardline_role", "wardline_ward"] },
  // As most providers do it: the claims stand in the token itself.
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, preferred_username: id, ...people[id] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
