//! The inventory over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use wire::identity::DeviceId;

use super::Shared;
use super::access::Person;
use super::ask::{Body, Handler, Named};
use super::problem::{Problem, Refused};
use crate::audit::{self, Act, Deed};
use crate::clock;
use crate::inventory::{self, Asset, Device};
use crate::store::db::Db;

/// All devices.
#[derive(Serialize, ToSchema)]
pub(super) struct DevicesAnswer {
    schema: u32,
    devices: Vec<Device>,
}

/// Which devices there are, what they are, and where
#[utoipa::path(get, path = "/v1/devices", tag = "inventory",
    responses((status = 200, body = DevicesAnswer), Refused))]
pub(super) async fn list(
    person: Person,
    State(shared): State<Arc<Shared>>,
) -> Result<Json<DevicesAnswer>, Problem> {
    let ask = move |db: &Db| inventory::devices(db, person.ward.as_deref());
    Ok(Json(DevicesAnswer { schema: 1, devices: shared.desk.ask(ask).await? }))
}

/// Writes down what a device is
#[utoipa::path(put, path = "/v1/devices/{device}", tag = "inventory", request_body = Asset,
    params(("device" = String, Path, pattern = "^[0-9A-Fa-f]{16}$", description = "Its EUI-64")),
    responses((status = 204, description = "It is written down"), Refused))]
pub(super) async fn describe(
    Handler(person): Handler,
    State(shared): State<Arc<Shared>>,
    Named(device): Named<String>,
    Body(asset): Body<Asset>,
) -> Result<StatusCode, Problem> {
    let wrong = || Problem::wrong(format!("{device}: a device has 16 hexadecimal digits"));
    let device = DeviceId::parse(&device).ok_or_else(wrong)?;
    let ask = move |db: &Db| {
        if !inventory::is_seen(db, device, person.ward.as_deref())? {
            return Ok(Err(Problem::not_found(format!("{device} was never heard here"))));
        }
        let (who, role) = (person.name.as_str(), person.role.name());
        let (object, words) = (&device.to_string(), asset.udi.as_str());
        let act = Act { who, role, what: Deed::Inventory, object, words };
        let described =
            audit::with(db, &act, clock::now(), |db| inventory::describe(db, device, &asset));
        Ok(described.map(|()| StatusCode::NO_CONTENT).map_err(Problem::from))
    };
    shared.desk.ask(ask).await?
}
