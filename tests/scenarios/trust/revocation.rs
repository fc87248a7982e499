//! RQ-07, P3: what a revoked gateway sends is held for a person; another one takes its place.

use rig::site::Role;

use super::{Newcomer, Place, run, text};

#[test]
fn a_revoked_gateway_is_held_then_refused_by_the_broker_and_a_person_lets_it_go() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;

        let reason = ["gw-1", "--reason", "lost on the way to repair"];
        place.site.sink(&["gateway", "revoke"], &reason).unwrap();
        place.say(10).await;
        place.site.wait_for_receipts(super::PATIENCE).await.unwrap();
        let held = |books: &serde_json::Value| {
            let kept = books["kept"].as_array().unwrap();
            kept.iter().filter(|one| one["reason"] == "suspect speaker").count() > 0
        };
        place.booked(|books| held(books) && books["numerics"] == 10).await;
        place.has_incident("revoked speaker").await;
        // The broker has read the list: the gateway itself stays out and goes on collecting.
        place.site.stop(Role::Broker).await.unwrap();
        place.site.start(Role::Broker).unwrap();
        place.logged(Role::Agent, "the broker refuses our certificate").await;
        place.say(10).await;

        place.site.sink(&["gateway", "release"], &["gw-1"]).unwrap();
        place.booked(|books| books["numerics"] == 20).await;
        place.site.sink(&["gateway", "restore"], &["gw-1"]).unwrap();
        let twice = place.site.sink(&["gateway", "restore"], &["gw-1"]);
        assert!(format!("{:#}", twice.unwrap_err()).contains("is not revoked"));
        let request = place.below("request").to_str().unwrap().to_owned();
        let grant = place.below("grant").to_str().unwrap().to_owned();
        place.site.gateway(&["provision"], &["--request", &request]).unwrap();
        place.site.sink(&["enroll"], &[&request, "--output", &grant]).unwrap();
        place.site.gateway(&["provision"], &["--grant", &grant]).unwrap();
        place.settled().await;
    });
}

#[test]
fn a_gateway_takes_another_s_place_with_its_ward_and_its_devices() {
    run(async {
        let mut place = Place::running().await;
        place.site.sink(&["gateway", "ward"], &["gw-1", "ICU"]).unwrap();
        place.say(5).await;
        place.settled().await;
        let new = Newcomer::called("gw-2", &place, "gw-2");
        let unknown = place.site.sink(&["gateway", "replace"], &["gw-1", "gw-2"]);
        assert!(format!("{:#}", unknown.unwrap_err()).contains("there is no such gateway"));
        let token = place.site.sink(&["enroll"], &["--token", "gw-2"]).unwrap();
        let enrolled = new.provision(&["--sink", &place.endpoint, "--token", token.trim()]);
        assert!(enrolled.status.success(), "{}", text(&enrolled));

        place.site.sink(&["gateway", "replace"], &["gw-1", "gw-2"]).unwrap();

        let listed = place.site.sink(&["gateway", "ls"], &["--json"]).unwrap();
        assert!(listed.contains("\"gw-2\",\"ward\":\"ICU\""), "{listed}");
        assert!(listed.contains("replaced by gw-2"), "{listed}");
        let itself = place.site.sink(&["gateway", "replace"], &["gw-2", "gw-2"]);
        assert!(format!("{:#}", itself.unwrap_err()).contains("cannot replace itself"));
    });
}
