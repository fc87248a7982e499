//! RQ-01, RQ-02: a gateway enrols itself by a token, once, and only at the site that made it.

use std::fs;

use rig::site::Role;

use super::{Newcomer, Place, days_of, run, text};

#[test]
fn a_gateway_enrols_itself_by_a_token_and_nobody_else_does_with_it() {
    run(async {
        let mut place = Place::open().await;
        place.site.start(Role::Sink).unwrap();
        place.logged(Role::Sink, "gateways may enrol").await;
        let options = ["--token", "gw-2", "--ward", "ICU", "--days", "1"];
        let token = place.site.sink(&["enroll"], &options).unwrap();
        let (token, sink) = (token.trim(), place.endpoint.as_str());
        let asks = |who: &Newcomer, token: &str| who.provision(&["--sink", sink, "--token", token]);

        let gateway = Newcomer::called("gw-2", &place, "gw-2");
        let other = Newcomer::called("gw-3", &place, "gw-3");
        let refused = text(&asks(&other, token));
        let taken = asks(&gateway, token);
        let again = asks(&gateway, token);
        let thief = Newcomer::called("gw-2", &place, "thief");
        let late = text(&asks(&thief, token));

        assert!(refused.contains("the token is for gateway gw-2, not for gw-3"), "{refused}");
        assert!(taken.status.success() && again.status.success(), "{}", text(&taken));
        assert!(late.contains("the token was used, for another key"), "{late}");
        let words = text(&taken).lines().find(|line| line.starts_with("in words")).unwrap().len();
        assert!(words > 40, "eight words to compare");
        let listed = place.site.sink(&["gateway", "ls"], &["--json"]).unwrap();
        assert!(listed.contains("\"gw-2\",\"ward\":\"ICU\""), "{listed}");
        assert!(!listed.contains("gw-3"), "{listed}");
        let life = days_of(&gateway.folder.join("state/keys/gateway.pem"));
        assert_eq!(life, 365);
        let trail = place.site.sink(&["audit"], &["--json"]).unwrap();
        assert!(trail.contains("enrol-refused") && trail.contains("\"enrol\""), "{trail}");
    });
}

#[test]
fn a_gateway_gives_its_token_to_nobody_but_the_site_that_made_it() {
    run(async {
        let mut place = Place::open().await;
        place.site.start(Role::Sink).unwrap();
        place.logged(Role::Sink, "gateways may enrol").await;
        let token = place.site.sink(&["enroll"], &["--token", "gw-2"]).unwrap();
        let (head, _) = token.trim().rsplit_once('-').unwrap();
        let elsewhere = format!("{head}-{}", "00".repeat(16));
        let gateway = Newcomer::called("gw-2", &place, "gw-2");

        let refused = gateway.provision(&["--sink", &place.endpoint, "--token", &elsewhere]);
        let cut = gateway.provision(&["--sink", &place.endpoint, "--token", &token[..40]]);
        let gone = "https://localhost:1";
        let away = text(&gateway.provision(&["--sink", gone, "--token", token.trim()]));

        assert!(text(&refused).contains("is not the site's sink"), "{}", text(&refused));
        assert!(text(&cut).contains("this is no token"), "{}", text(&cut));
        assert!(away.contains("cannot be reached"), "{away}");
        let trail = place.site.sink(&["audit"], &["--json"]).unwrap();
        assert!(!trail.contains("enrol-refused"), "nothing was shown to it: {trail}");
    });
}

#[test]
fn two_hundred_gateways_have_a_file_each_and_one_is_all_that_a_gateway_needs() {
    run(async {
        let mut place = Place::open().await;
        place.site.start(Role::Sink).unwrap();
        place.logged(Role::Sink, "gateways may enrol").await;
        let table = place.below("site.csv");
        let lines = (0..200).map(|number| format!("bed-{number},Ward {}\n", number % 7));
        fs::write(&table, format!("gateway,ward\n{}", lines.collect::<String>())).unwrap();
        let out = place.below("batch");
        let (table, folder) = (table.to_str().unwrap(), out.to_str().unwrap());

        place.site.sink(&["enroll"], &["--batch", table, "--output", folder]).unwrap();

        assert_eq!(fs::read_dir(&out).unwrap().count(), 201);
        let labels = fs::read_to_string(out.join("labels.csv")).unwrap();
        assert!(labels.lines().count() == 201 && !labels.contains("wl1-"), "labels hold no token");
        for name in ["bed-0", "bed-199"] {
            let gateway = Newcomer {
                folder: place.below(name),
                ..Newcomer::called("x", &place, &format!("x-{name}"))
            };
            fs::create_dir(&gateway.folder).unwrap();
            let file = out.join(format!("{name}.toml"));
            let enrolled = gateway.provision(&["--from", file.to_str().unwrap()]);
            assert!(enrolled.status.success(), "{}", text(&enrolled));
            let written = fs::read_to_string(gateway.config()).unwrap();
            assert!(written.contains(&format!("id = \"{name}\"")));
        }
        let twice = format!("{}\nbed-1,\n", fs::read_to_string(table).unwrap());
        fs::write(table, twice).unwrap();
        let wrong = place.site.sink(&["enroll"], &["--batch", table, "--output", folder]);
        assert!(format!("{:#}", wrong.unwrap_err()).contains("bed-1 stands there twice"));
    });
}

#[test]
fn without_a_grant_nothing_is_sent_and_the_agent_says_so() {
    run(async {
        let place = Place::open().await;
        let gateway = Newcomer::called("gw-2", &place, "gw-2");
        let mut command = std::process::Command::new(&gateway.wardline);
        let mut agent = command
            .arg("run")
            .arg("--config")
            .arg(gateway.config())
            .stderr(fs::File::create(gateway.folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let until = std::time::Instant::now() + super::PATIENCE;
        let log = || fs::read_to_string(gateway.folder.join("log")).unwrap_or_default();
        while !log().contains("not connected") {
            assert!(std::time::Instant::now() < until, "{}", log());
            tokio::time::sleep(super::LOOK).await;
        }
        agent.kill().unwrap();
        agent.wait().unwrap();

        assert!(log().contains("wardline provision"), "{}", log());
        assert!(!gateway.folder.join("state/keys/gateway.pem").exists());
    });
}
