//! Notification: tells other systems of incidents, once each, and when they are over.
//!
//! What is to be told is read out of the store, so that nothing is forgotten over a restart. A
//! message may come twice after a failure; its key is the same both times.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use wire::time::UnixNanos;

use crate::clock;
use crate::incident::{self, Incident};
use crate::inventory::{self, Asset};
use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Location, values};

mod mail;

mod maintenance;

mod receiver;

mod webhook;

mod work_order;

pub use lettre::message::Mailbox;
pub use mail::{Addresses, Mail, mail_server};
pub use maintenance::{Window, begin, end, windows};
pub use receiver::{Receiver, ReceiverError};
pub use webhook::Webhook;
pub use work_order::work_orders;

/// Where messages go, and which.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// Its name; messages that were sent are remembered under it.
    pub name: String,
    /// Where they are posted, or the mail server.
    pub url: String,
    /// Who writes to whom, if it is mail.
    pub mail: Option<Addresses>,
    /// What is shown to the receiver: `Authorization: Bearer ...`, or a mail server's password.
    pub token: Option<String>,
    /// The receiver's CA, PEM; those of the system without it.
    pub ca: Option<Vec<u8>>,
    /// Only incidents that last for so long are told: what comes and goes wakes nobody.
    pub after: Duration,
    /// Only these kinds; all without.
    pub kinds: Vec<String>,
    /// Only this ward's gateways; all without.
    pub ward: Option<String>,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It began, and nobody has taken it.
    Opened,
    /// It is over.
    Closed,
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

/// One message: a work order, or the end of one. No patient data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    schema: u32,
    /// The same for the same event, however often it is sent.
    pub idempotency_key: String,
    /// What happened.
    pub event: Event,
    /// To what.
    pub incident: Incident,
    /// What is known of the device, if it is about one.
    asset: Option<Asset>,
    notice: &'static str,
}

const NOTICE: &str = "technical state of the line; informational: not an alarm system";

impl Message {
    /// A message that says that messages come.
    #[must_use]
    pub fn test() -> Self {
        let incident = Incident {
            id: 0,
            kind: "test",
            gateway: None,
            ward: None,
            subject: String::new(),
            words: "messages of this sink come here".into(),
            remedy: "nothing is to be done",
            count: 0,
            opened_ns: 0,
            last_ns: 0,
            closed_ns: None,
            owner: None,
        };
        // Another one each time: a receiver may drop what it knows.
        let idempotency_key = format!("test-{}", clock::now().0);
        Self {
            schema: 1,
            idempotency_key,
            event: Event::Opened,
            incident,
            asset: None,
            notice: NOTICE,
        }
    }
}

impl Channel {
    fn wants(&self, incident: &Incident) -> bool {
        let is_wanted =
            self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == incident.kind);
        is_wanted && (self.ward.is_none() || self.ward == incident.ward)
    }
}

/// What is to be told on a channel now, oldest first.
///
/// # Errors
/// The store does not answer.
pub fn due(db: &Db, channel: &Channel, now: UnixNanos) -> Result<Vec<Message>, StoreError> {
    let told = told(db, channel)?;
    let covered: Vec<Window> = windows(db, now)?;
    let after = i64::try_from(channel.after.as_nanos()).unwrap_or(i64::MAX);
    let has_told = |incident: &Incident, event: Event| told.contains(&(incident.id, event));
    let event = |incident: &Incident| match incident.closed_ns {
        Some(_) if has_told(incident, Event::Opened) => Some(Event::Closed),
        Some(_) => None,
        None => {
            let lasts = now.0.saturating_sub(incident.opened_ns) >= after;
            let is_covered = covered.iter().any(|window| window.covers(incident));
            let waits = incident.owner.is_none() && channel.wants(incident);
            (lasts && waits && !is_covered).then_some(Event::Opened)
        }
    };
    let mut candidates = incident::list(db, false)?;
    for (id, _) in told.iter().filter(|(id, _)| !told.contains(&(*id, Event::Closed))) {
        candidates.extend(incident::one(db, *id)?.filter(|incident| incident.closed_ns.is_some()));
    }
    let mut due = Vec::new();
    for incident in candidates {
        if let Some(event) = event(&incident).filter(|event| !has_told(&incident, *event)) {
            due.push(message(db, incident, event)?);
        }
    }
    due.sort_by_key(|message| (message.incident.id, message.event));
    Ok(due)
}

fn message(db: &Db, incident: Incident, event: Event) -> Result<Message, StoreError> {
    let idempotency_key = idempotency_key(&db.store_epoch()?, incident.id, event);
    let asset = inventory::asset(db, &incident.subject)?;
    Ok(Message { schema: 1, idempotency_key, event, incident, asset, notice: NOTICE })
}

/// The same for the same event of a store's life.
fn idempotency_key(life: &[u8; 16], incident: i64, event: Event) -> String {
    format!("{}-{incident}-{}", hex(life), event.name())
}

fn told(db: &Db, channel: &Channel) -> Result<HashSet<(i64, Event)>, StoreError> {
    let sql = "SELECT incident, event FROM notice WHERE channel = ?1";
    let rows = db.rows(sql, values![&channel.name])?;
    let told = rows.iter().map(|row| {
        let is_closed = row.at::<String>(1)? == Event::Closed.name();
        Ok((row.at(0)?, if is_closed { Event::Closed } else { Event::Opened }))
    });
    told.collect()
}

/// A message was taken by its receiver.
///
/// # Errors
/// The store does not answer; then it is sent again.
pub fn remember(
    db: &Db,
    channel: &Channel,
    message: &Message,
    now: UnixNanos,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO notice (incident, channel, event, at_ns) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO NOTHING";
    let Message { incident, event, .. } = message;
    db.execute(sql, values![incident.id, &channel.name, event.name(), now.0])?;
    Ok(())
}

/// Tells what is due, in order: all of it to a webhook, one mail to a mail server, until something
/// is not taken; how much was. What was taken is not told again.
///
/// # Errors
/// The store does not answer, or a receiver does not take a message.
pub async fn deliver(store: &Location, receiver: &Receiver) -> anyhow::Result<usize> {
    let (at, channel) = (store.clone(), receiver.channel().clone());
    let read = move || due(&Db::open(&at)?, &channel, clock::now());
    let mut messages = tokio::task::spawn_blocking(read).await??;
    let mut count = 0;
    while !messages.is_empty() {
        let rest = messages.split_off(receiver.tell(&messages).await?);
        let taken = std::mem::replace(&mut messages, rest);
        count += taken.len();
        let (at, channel) = (store.clone(), receiver.channel().clone());
        let keep = move || {
            let (db, now) = (Db::open(&at)?, clock::now());
            taken.iter().try_for_each(|message| remember(&db, &channel, message, now))
        };
        tokio::task::spawn_blocking(keep).await??;
        if receiver.tells_at_once() {
            break;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;
    const BEGIN: i64 = 1_700_000_000 * SECOND_NS;

    fn at(seconds: i64) -> UnixNanos {
        UnixNanos(BEGIN + seconds * SECOND_NS)
    }

    fn channel() -> Channel {
        Channel { name: "desk".into(), after: Duration::from_secs(60), ..Channel::default() }
    }

    /// A gateway of a ward is silent from the beginning, a device of another from second 100 on.
    fn store() -> Db {
        let db = Db::in_memory();
        db.batch(&format!(
            "INSERT INTO meta VALUES ('store_epoch', x'00112233445566778899AABBCCDDEEFF');
             INSERT INTO gateway VALUES (1, 'gw-1', x'', 0), (2, 'gw-2', x'', 0);
             INSERT INTO gateway_ward VALUES (1, 'ICU');
             INSERT INTO asset VALUES ('0000000000000002', '', 'S-2', '', '', '');
             INSERT INTO incident (id, kind, gateway, subject, words, count, opened_ns, last_ns)
             VALUES (1, 'silent', 1, '', 'no report', 1, {BEGIN}, {BEGIN}),
               (2, 'device silent', 2, '0000000000000002', 'nothing', 1, {late}, {late});",
            late = at(100).0,
        ))
        .unwrap();
        db
    }

    fn told(db: &Db, channel: &Channel, now: UnixNanos) -> Vec<(i64, Event)> {
        let due = due(db, channel, now).unwrap();
        due.iter().for_each(|message| remember(db, channel, message, now).unwrap());
        due.iter().map(|message| (message.incident.id, message.event)).collect()
    }

    #[test]
    fn an_incident_is_told_once_when_it_lasts_and_once_when_it_is_over() {
        let (db, channel) = (store(), channel());
        assert_eq!(told(&db, &channel, at(59)), []);
        assert_eq!(told(&db, &channel, at(60)), [(1, Event::Opened)]);
        assert_eq!(told(&db, &channel, at(61)), []);

        let message = due(&db, &channel, at(160)).unwrap().remove(0);
        assert_eq!(message.asset.as_ref().map(|asset| asset.serial.as_str()), Some("S-2"));
        assert_eq!(message.idempotency_key, "00112233445566778899aabbccddeeff-2-opened");
        assert_eq!(due(&db, &channel, at(161)).unwrap(), [message], "until it was taken");
        db.batch(&format!("UPDATE incident SET closed_ns = {} WHERE id < 3", at(170).0)).unwrap();
        let over = told(&db, &channel, at(171));
        assert_eq!(over, [(1, Event::Closed)], "what was never told needs no end");
        let other = Channel { name: "other".into(), ..channel };
        assert_eq!(told(&db, &other, at(171)), []);
    }

    #[test]
    fn an_old_incident_is_told_however_many_came_and_went_since() {
        let (db, channel) = (store(), channel());
        let rows = (3..1500).map(|id| {
            format!(
                "INSERT INTO incident (id, kind, gateway, subject, words, count, opened_ns,
                   last_ns, closed_ns)
                 VALUES ({id}, 'restart', 1, '{id}', '', 1, {BEGIN}, {BEGIN}, {BEGIN});"
            )
        });
        db.batch(&rows.collect::<String>()).unwrap();
        assert_eq!(told(&db, &channel, at(60)), [(1, Event::Opened)]);
        assert_eq!(incident::list(&db, false).unwrap().len(), 2, "what is open is always listed");
        assert_eq!(incident::list(&db, true).unwrap().len(), 1002);
        db.batch(&format!("UPDATE incident SET closed_ns = {} WHERE id = 1", at(70).0)).unwrap();
        assert_eq!(told(&db, &channel, at(71)), [(1, Event::Closed)]);
    }

    #[test]
    fn what_somebody_has_taken_or_maintenance_covers_or_nobody_wants_is_not_told() {
        let db = store();
        let only = |kind: &str| Channel { kinds: vec![kind.into()], ..channel() };
        let of = |ward: &str| Channel { ward: Some(ward.into()), ..channel() };
        let due_on = |channel: &Channel| {
            let due = due(&db, channel, at(300)).unwrap();
            due.iter().map(|message| message.incident.id).collect::<Vec<_>>()
        };
        assert_eq!(due_on(&channel()), [1, 2]);
        assert_eq!((due_on(&only("silent")), due_on(&of("ICU"))), (vec![1], vec![1]));
        assert_eq!(due_on(&of("ER")), [] as [i64; 0]);

        let window = begin(&db, Some("gw-2"), None, "new firmware", (at(200), at(400))).unwrap();
        assert_eq!(due_on(&channel()), [1]);
        assert!(end(&db, window, at(250)).unwrap());
        assert_eq!(due_on(&channel()), [1, 2]);
        begin(&db, None, Some("ICU"), "new switch", (at(200), at(400))).unwrap();
        assert_eq!(due_on(&channel()), [2]);
        db.batch("UPDATE incident SET owner = 'ada'").unwrap();
        assert_eq!(due_on(&channel()), [] as [i64; 0]);
    }
}
