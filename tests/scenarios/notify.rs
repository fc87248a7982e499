//! Notification: a receiver that fails is told again, with the same key, and nothing twice after it
//! has taken a message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cloud_sink::clock;
use cloud_sink::incident;
use cloud_sink::notify::{Channel, Receiver as Told, deliver};
use cloud_sink::store::db::{Db, Turn};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::view::{Page, WARD};

/// What a receiver was told, and how often it refuses first.
#[derive(Default)]
struct Receiver {
    refusals: Mutex<u32>,
    heard: Mutex<Vec<(String, String, Value)>>,
}

async fn hear(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let word = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let said = serde_json::from_str(&body).unwrap();
    receiver.heard.lock().unwrap().push((word("idempotency-key"), word("authorization"), said));
    let mut refusals = receiver.refusals.lock().unwrap();
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::NO_CONTENT
}

#[test]
fn a_receiver_is_told_until_it_has_taken_a_message_and_of_the_end() {
    let page = Page::open();
    let receiver = Arc::new(Receiver { refusals: Mutex::new(1), ..Receiver::default() });
    let router = Router::new().route("/orders", post(hear)).with_state(receiver.clone());
    let listener = page.runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    page.runtime.spawn(async move { axum::serve(listener, router).await });
    let channel = Channel {
        name: "work orders".into(),
        url,
        token: Some("secret".into()),
        kinds: vec!["silent".into()],
        ward: Some(WARD.into()),
        after: Duration::ZERO,
        ..Channel::default()
    };
    let told = Told::new(channel).unwrap();
    let deliver = || page.runtime.block_on(deliver(page.sink.location(), &told));

    let refused = deliver().unwrap_err().to_string();
    assert!(refused.contains("work orders answers 503"), "{refused}");
    assert_eq!((deliver().unwrap(), deliver().unwrap()), (1, 0));
    let db = Db::open(page.sink.location()).unwrap();
    let close = |db: &Db| incident::close(db, 1, clock::now(), ("Ada", "power"));
    assert!(db.transaction(Turn::Incidents, close).unwrap());
    assert_eq!((deliver().unwrap(), deliver().unwrap()), (1, 0));

    let heard = receiver.heard.lock().unwrap();
    let said: Vec<_> = heard.iter().map(|(_, _, said)| said["event"].as_str().unwrap()).collect();
    assert_eq!(said, ["opened", "opened", "closed"]);
    assert_eq!(heard[0].0, heard[1].0, "a receiver knows it again");
    assert_ne!(heard[1].0, heard[2].0);
    assert!(heard.iter().all(|(_, token, _)| token == "Bearer secret"));
    let incident = &heard[0].2["incident"];
    assert_eq!((&incident["gateway"], &incident["kind"]), (&"gw-1".into(), &"silent".into()));
    assert!(incident["remedy"].as_str().is_some_and(|words| !words.is_empty()));
}
