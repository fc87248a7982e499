//! Access: who may see what. A person comes in by a link, by an account or by the hospital's own
//! sign-on, and stays for a shift.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

mod account;

mod door;

mod pass;

mod vault;

pub use account::{
    Account, AccountError, Invitation, Refusal, accept, accounts, invite, is_name, open_invitation,
    set_right, shut_out, sign_in, switch,
};
pub(super) use door::Door;
pub use pass::{SESSION_LIFE, TICKET_LIFE, issue};
pub(super) use pass::{begin, begin_sign_on, end_sign_on, leave, recognise, redeem};
pub use vault::Vault;

/// What a person may do.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the line, no patient data; changes nothing.
    Viewer,
    /// Takes and closes incidents, sees values.
    Engineer,
    /// Sees the line, who did what, and evidence; no values, changes nothing.
    Auditor,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Engineer, Self::Auditor, Self::Admin];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// The role with this word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role handles incidents and keeps the inventory.
    #[must_use]
    pub const fn may_handle(self) -> bool {
        matches!(self, Self::Engineer | Self::Admin)
    }

    /// Whether this role sees what was measured of patients. Every look is written down.
    #[must_use]
    pub const fn may_see_values(self) -> bool {
        matches!(self, Self::Engineer | Self::Admin)
    }

    /// Whether this role takes evidence away: sealed records, and what they are signed with.
    #[must_use]
    pub const fn may_take_evidence(self) -> bool {
        !matches!(self, Self::Viewer)
    }

    /// Whether this role sees who did what.
    #[must_use]
    pub const fn may_audit(self) -> bool {
        matches!(self, Self::Auditor | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who is signed in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Person {
    /// Name, as it stands in timelines.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The only ward whose gateways they see; all, if there is none.
    pub ward: Option<String>,
}

impl Person {
    /// Whether they see what belongs to a ward, or to none.
    #[must_use]
    pub fn sees(&self, ward: Option<&str>) -> bool {
        self.ward.is_none() || self.ward.as_deref() == ward
    }
}
