//! A gateway's month, for the page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Person;
use super::ask::{Named, Words};
use super::problem::{Problem, Refused};
use super::{Shared, fleet};
use crate::availability::{self, Month, Service};
use crate::clock;
use crate::store::db::Db;

/// A gateway's month.
#[derive(Serialize, ToSchema)]
pub(super) struct OneMonth {
    schema: u32,
    #[serde(flatten)]
    service: Service,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MonthQuery {
    /// As 2026-11; this month without it. UTC.
    #[param(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    month: Option<String>,
}

/// In how much of a month a gateway was up and its feed came at once, and how long readings took
#[utoipa::path(get, path = "/v1/gateways/{gateway}/availability", tag = "line",
    params(("gateway" = String, Path, description = "Its name"), MonthQuery),
    responses((status = 200, body = OneMonth), Refused))]
pub(super) async fn month(
    person: Person,
    State(shared): State<Arc<Shared>>,
    Named(gateway): Named<String>,
    Words(query): Words<MonthQuery>,
) -> Result<Json<OneMonth>, Problem> {
    let now = clock::now();
    let month = match query.month {
        Some(month) => month.parse().map_err(|error| Problem::wrong(format!("month: {error}")))?,
        None => Month::at(now).ok_or_else(|| Problem::wrong("month: say which".to_owned()))?,
    };
    let missing = Problem::not_found(format!("there is no gateway {gateway}"));
    let ask = move |db: &Db| {
        let Some(id) = fleet::gateway_of(db, &person, &gateway)? else { return Ok(None) };
        Ok(availability::read(db, Some(id), month, now)?.pop())
    };
    let service = shared.desk.ask(ask).await?.ok_or(missing)?;
    Ok(Json(OneMonth { schema: 1, service }))
}
