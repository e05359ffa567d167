//! People who may sign in, invitations and sessions. Of tokens, only digests are stored.

use time::OffsetDateTime;

use super::{Result, Store};
use crate::ledger::{Author, UserId};

/// How long an invitation can be used: seven days, in hours.
pub const INVITATION_HOURS: i64 = 7 * 24;

/// How long a session lasts: twelve hours.
pub const SESSION_HOURS: i64 = 12;

/// The colours a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Same as the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// Row id.
    pub id: UserId,
    /// The name shown and kept in the ledger.
    pub name: String,
    /// The address to sign in with.
    pub mail: String,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// The colours chosen.
    pub theme: Theme,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// A person to add, by an invitation.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// 1 to 100 characters.
    pub name: String,
    /// The address to sign in with.
    pub mail: String,
    /// argon2id, PHC string.
    pub password_hash: String,
}

/// An open invitation.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Who invited.
    pub invited_by: String,
    /// For whom, in the words of who invited.
    pub note: String,
    /// Until when it can be used.
    pub expires_at: OffsetDateTime,
}

impl Theme {
    /// `system`, `light` or `dark`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads what [`Theme::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == text)
    }
}

impl Store {
    /// Everybody who may sign in, by name.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_users(&self) -> Result<Vec<User>> {
        todo!()
    }

    /// The person who signs in with this mail address.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_user(&self, mail: &str) -> Result<Option<User>> {
        let _ = mail;
        todo!()
    }

    /// Removes a person and ends their sessions.
    ///
    /// # Errors
    /// `Gone`, `LastUser`.
    pub async fn delete_user(&self, id: UserId, by: &Author) -> Result<()> {
        let _ = (id, by);
        todo!()
    }

    /// Chooses a person's colours. Not a change of the ledger: nobody else sees it.
    ///
    /// # Errors
    /// `Database`.
    pub async fn update_theme(&self, id: UserId, theme: Theme) -> Result<()> {
        let _ = (id, theme);
        todo!()
    }

    /// Invites somebody; the token to put into the link. The set-up link of a first start is one too.
    ///
    /// # Errors
    /// `Database`.
    pub async fn create_invitation(&self, note: &str, by: &Author) -> Result<String> {
        let _ = (note, by);
        todo!()
    }

    /// The open invitation with this token.
    ///
    /// # Errors
    /// `InvitationGone`.
    pub async fn find_invitation(&self, token: &str, now: OffsetDateTime) -> Result<Invitation> {
        let _ = (token, now);
        todo!()
    }

    /// Every open invitation.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_invitations(&self, now: OffsetDateTime) -> Result<Vec<Invitation>> {
        let _ = now;
        todo!()
    }

    /// Adds a person by using up an invitation. The author of the change is the new person.
    ///
    /// # Errors
    /// `InvitationGone`, `MailTaken`, `Name`.
    pub async fn create_user(&self, token: &str, new: NewUser, now: OffsetDateTime) -> Result<UserId> {
        let _ = (token, new, now);
        todo!()
    }

    /// Starts a session of [`SESSION_HOURS`]; its token, for a cookie.
    ///
    /// # Errors
    /// `Database`.
    pub async fn create_session(&self, user: UserId, now: OffsetDateTime) -> Result<String> {
        let _ = (user, now);
        todo!()
    }

    /// Who a session token belongs to, unless it has ended.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_session(&self, token: &str, now: OffsetDateTime) -> Result<Option<User>> {
        let _ = (token, now);
        todo!()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `Database`.
    pub async fn delete_session(&self, token: &str) -> Result<()> {
        let _ = token;
        todo!()
    }
}
