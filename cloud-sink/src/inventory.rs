//! Inventory: which devices there are, what they are, and where.
//!
//! A device names itself by its EUI-64. What a person knows of it, its UDI above all, is written
//! down beside that, and never inferred.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::identity::DeviceId;

use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, values};

mod udi;

pub use udi::{Udi, UdiError};

/// What a person knows of a device. Everything may be empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Asset {
    /// Unique device identification, as it is printed: GS1 with its brackets, or HIBC.
    #[schema(max_length = 200)]
    pub udi: String,
    /// Serial number.
    #[schema(max_length = 200)]
    pub serial: String,
    /// Model.
    #[schema(max_length = 200)]
    pub model: String,
    /// Who made it.
    #[schema(max_length = 200)]
    pub maker: String,
    /// Where it stands.
    #[schema(max_length = 200)]
    pub place: String,
}

/// A device, and the gateway through which it spoke last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Device {
    /// The device's EUI-64.
    pub device: String,
    /// The gateway.
    pub gateway: String,
    /// That gateway's ward.
    pub ward: Option<String>,
    /// When a report of the gateway named it last, UTC nanoseconds.
    pub heard_ns: i64,
    /// What is known of it.
    pub asset: Asset,
    /// What its UDI says.
    pub udi: Option<Udi>,
}

/// Why something is not written down.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The UDI is none.
    #[error(transparent)]
    Udi(#[from] UdiError),
    /// A field is too long, or has letters that are none.
    #[error("{0} has more than 200 letters, or some that cannot be printed")]
    Text(&'static str),
    /// No gateway has this name.
    #[error("{0}: there is no such gateway; see `gateway ls`")]
    Unknown(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Letters of a field, at most.
const TEXT_MAX: usize = 200;

/// Where each device was heard last.
const LAST: &str = "
SELECT device, gateway.name, ward, heard_ns FROM device_watched
  JOIN gateway ON gateway.id = device_watched.gateway
  LEFT JOIN gateway_ward ON gateway_ward.gateway = device_watched.gateway
ORDER BY heard_ns DESC, gateway.name";

/// All devices that were heard last in a ward, or all; those that were heard last come first.
///
/// # Errors
/// The store does not answer.
pub fn devices(db: &Db, ward: Option<&str>) -> Result<Vec<Device>, StoreError> {
    let mut assets = assets(db)?;
    let mut seen = HashSet::new();
    let mut devices = Vec::new();
    for row in db.rows(LAST, &[])? {
        let device = DeviceId(row.at::<i64>(0)?.cast_unsigned());
        let of: Option<String> = row.at(2)?;
        if !seen.insert(device) || ward.is_some() && of.as_deref() != ward {
            continue;
        }
        let device = device.to_string();
        let asset = assets.remove(&device).unwrap_or_default();
        devices.push(Device {
            device,
            gateway: row.at(1)?,
            ward: of,
            heard_ns: row.at(3)?,
            udi: Udi::parse(&asset.udi).ok(),
            asset,
        });
    }
    Ok(devices)
}

fn assets(db: &Db) -> Result<HashMap<String, Asset>, StoreError> {
    let rows = db.rows("SELECT eui, udi, serial, model, maker, place FROM asset", &[])?;
    let assets = rows.iter().map(|row| {
        let (udi, serial, model) = (row.at(1)?, row.at(2)?, row.at(3)?);
        let asset = Asset { udi, serial, model, maker: row.at(4)?, place: row.at(5)? };
        Ok((row.at(0)?, asset))
    });
    assets.collect()
}

/// What a person knows of a device, if it is one and something is known.
///
/// # Errors
/// The store does not answer.
pub fn asset(db: &Db, device: &str) -> Result<Option<Asset>, StoreError> {
    let sql = "SELECT udi, serial, model, maker, place FROM asset WHERE eui = ?1";
    let row = db.row(sql, values![device])?;
    let asset = row.map(|row| {
        let (udi, serial, model) = (row.at(0)?, row.at(1)?, row.at(2)?);
        Ok(Asset { udi, serial, model, maker: row.at(3)?, place: row.at(4)? })
    });
    asset.transpose()
}

/// Whether somebody of a ward sees a device: it was heard there last.
///
/// # Errors
/// The store does not answer.
pub fn is_seen(db: &Db, device: DeviceId, ward: Option<&str>) -> Result<bool, StoreError> {
    let sql = "SELECT ward FROM device_watched
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = device_watched.gateway
               WHERE device = ?1 ORDER BY heard_ns DESC LIMIT 1";
    let row = db.row(sql, values![device.0.cast_signed()])?;
    let last: Option<Option<String>> = row.map(|row| row.at(0)).transpose()?;
    Ok(last.is_some_and(|last| ward.is_none() || last.as_deref() == ward))
}

/// Writes down what a person knows of a device.
///
/// # Errors
/// [`InventoryError`].
pub fn describe(db: &Db, device: DeviceId, asset: &Asset) -> Result<(), InventoryError> {
    check(asset)?;
    let put = "INSERT INTO asset (eui, udi, serial, model, maker, place)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (eui) DO UPDATE SET udi = excluded.udi, serial = excluded.serial,
                 model = excluded.model, maker = excluded.maker, place = excluded.place";
    let Asset { udi, serial, model, maker, place } = asset;
    db.execute(put, values![&device.to_string(), udi, serial, model, maker, place])?;
    Ok(())
}

fn check(asset: &Asset) -> Result<(), InventoryError> {
    if !asset.udi.is_empty() {
        Udi::parse(&asset.udi)?;
    }
    let Asset { udi, serial, model, maker, place } = asset;
    let fields =
        [("udi", udi), ("serial", serial), ("model", model), ("maker", maker), ("place", place)];
    match fields.into_iter().find(|(_, text)| !is_text(text)) {
        Some((name, _)) => Err(InventoryError::Text(name)),
        None => Ok(()),
    }
}

/// Whether it can be printed and is short enough.
#[must_use]
pub fn is_text(text: &str) -> bool {
    text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control)
}

/// Says in which ward a gateway stands, or in none.
///
/// # Errors
/// [`InventoryError`].
pub fn place(db: &Db, gateway: &str, ward: Option<&str>) -> Result<(), InventoryError> {
    if !ward.is_none_or(|ward| is_text(ward) && !ward.is_empty()) {
        return Err(InventoryError::Text("ward"));
    }
    let row = db.row("SELECT id FROM gateway WHERE name = ?1", values![gateway])?;
    let Some(id) = row.map(|row| row.at::<i64>(0)).transpose()? else {
        return Err(InventoryError::Unknown(gateway.to_owned()));
    };
    let was = "INSERT INTO ward_history (gateway, from_ns, ward) VALUES (?1, ?2, ?3)";
    db.execute(was, values![id, clock::now().0, ward])?;
    db.execute("DELETE FROM gateway_ward WHERE gateway = ?1", values![id])?;
    if let Some(ward) = ward {
        db.execute("INSERT INTO gateway_ward VALUES (?1, ?2)", values![id, ward])?;
    }
    Ok(())
}

/// Whether a gateway stands in a ward, or ever did.
///
/// # Errors
/// The store does not answer.
pub fn knows_ward(db: &Db, ward: &str) -> Result<bool, StoreError> {
    Ok(db.row("SELECT 1 FROM ward_history WHERE ward = ?1 LIMIT 1", values![ward])?.is_some())
}

/// A gateway that is enrolled.
#[derive(Clone, Debug, Serialize)]
pub struct Enrolled {
    /// Name.
    pub name: String,
    /// Where it stands, if that was said.
    pub ward: Option<String>,
    /// Since when, UTC nanoseconds.
    pub enrolled_ns: i64,
    /// Why it is not believed any more, if so.
    pub revoked: Option<String>,
}

/// All gateways, by name.
///
/// # Errors
/// The store does not answer.
pub fn gateways(db: &Db) -> Result<Vec<Enrolled>, StoreError> {
    let sql = "SELECT name, ward, enrolled_ns, reason FROM gateway
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = gateway.id
                 LEFT JOIN revoked ON revoked.gateway = gateway.id ORDER BY name";
    let rows = db.rows(sql, &[])?;
    let gateways = rows.iter().map(|row| {
        let (name, ward) = (row.at(0)?, row.at(1)?);
        Ok(Enrolled { name, ward, enrolled_ns: row.at(2)?, revoked: row.at(3)? })
    });
    gateways.collect()
}
