//! People who may sign in, invitations and sessions. Of tokens, only digests are stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::write::Entry;
use super::{Result, Store, StoreError, from_millis, parse_name, to_millis};
use crate::certificate::Fingerprint;
use crate::ledger::{Author, Thing, UserId};

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

struct UserRow {
    id: i64,
    name: String,
    mail: String,
    password_hash: String,
    theme: String,
    created_at: i64,
}

impl Store {
    /// Everybody who may sign in, by name.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_users(&self) -> Result<Vec<User>> {
        let rows = sqlx::query_as!(
            UserRow,
            "SELECT id, name, mail, password_hash, theme, created_at FROM users ORDER BY name, id"
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(UserRow::read).collect()
    }

    /// The person who signs in with this mail address.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_user(&self, mail: &str) -> Result<Option<User>> {
        let mail = mail.trim();
        let row = sqlx::query_as!(
            UserRow,
            "SELECT id, name, mail, password_hash, theme, created_at FROM users WHERE mail = ?",
            mail
        );
        row.fetch_optional(self.reader()).await?.map(UserRow::read).transpose()
    }

    /// Removes a person and ends their sessions.
    ///
    /// # Errors
    /// `Gone`, `LastUser`.
    pub async fn delete_user(&self, id: UserId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let user = sqlx::query!("SELECT name, mail FROM users WHERE id = ?", id)
            .fetch_optional(write.db())
            .await?
            .ok_or(StoreError::Gone)?;
        if sqlx::query_scalar!("SELECT count(*) FROM users").fetch_one(write.db()).await? == 1 {
            return Err(StoreError::LastUser);
        }
        sqlx::query!("DELETE FROM users WHERE id = ?", id).execute(write.db()).await?;
        let entry = Entry {
            thing: Thing::User,
            id,
            site: None,
            summary: format!("removed {} from the team", user.name),
            before: Some(json!({ "name": user.name, "mail": user.mail })),
            after: None,
            touched: Vec::new(),
        };
        write.commit(entry).await
    }

    /// Chooses a person's colours. Not a change of the ledger: nobody else sees it.
    ///
    /// # Errors
    /// `Database`.
    pub async fn update_theme(&self, id: UserId, theme: Theme) -> Result<()> {
        let theme = theme.as_str();
        sqlx::query!("UPDATE users SET theme = ? WHERE id = ?", theme, id).execute(&self.0.writer).await?;
        Ok(())
    }

    /// Invites somebody; the token to put into the link. The set-up link of a first start is one too.
    ///
    /// # Errors
    /// `Name` where the note does not say for whom.
    pub async fn create_invitation(&self, note: &str, by: &Author) -> Result<String> {
        let note = parse_name(note)?;
        let (token, digest) = new_token()?;
        let (now, expires) = (to_millis(by.now), to_millis(by.now + Duration::hours(INVITATION_HOURS)));
        let mut write = self.begin(by).await?;
        sqlx::query!("DELETE FROM invitations WHERE expires_at <= ?", now).execute(write.db()).await?;
        sqlx::query!(
            "INSERT INTO invitations (token_digest, invited_by, note, expires_at) VALUES (?, ?, ?, ?)",
            digest,
            by.name,
            note,
            expires
        )
        .execute(write.db())
        .await?;
        let entry = Entry {
            thing: Thing::User,
            id: 0,
            site: None,
            summary: format!("invited {note}"),
            before: None,
            after: Some(json!({ "note": note })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(token)
    }

    /// The open invitation with this token.
    ///
    /// # Errors
    /// `InvitationGone`.
    pub async fn find_invitation(&self, token: &str, now: OffsetDateTime) -> Result<Invitation> {
        let (digest, now) = (digest(token), to_millis(now));
        let row = sqlx::query!(
            "SELECT invited_by, note, expires_at FROM invitations WHERE token_digest = ? AND expires_at > ?",
            digest,
            now
        );
        let row = row.fetch_optional(self.reader()).await?.ok_or(StoreError::InvitationGone)?;
        Ok(Invitation { invited_by: row.invited_by, note: row.note, expires_at: from_millis(row.expires_at)? })
    }

    /// Every open invitation.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_invitations(&self, now: OffsetDateTime) -> Result<Vec<Invitation>> {
        let now = to_millis(now);
        let rows = sqlx::query!(
            "SELECT invited_by, note, expires_at FROM invitations WHERE expires_at > ? ORDER BY expires_at",
            now
        );
        let rows = rows.fetch_all(self.reader()).await?.into_iter().map(|row| {
            Ok(Invitation { invited_by: row.invited_by, note: row.note, expires_at: from_millis(row.expires_at)? })
        });
        rows.collect()
    }

    /// Adds a person by using up an invitation. The author of the change is the new person.
    ///
    /// The first person ends every other invitation: a second set-up link must not outlive the set-up.
    ///
    /// # Errors
    /// `InvitationGone`, `MailTaken`, `Name`.
    pub async fn create_user(&self, token: &str, new: NewUser, now: OffsetDateTime) -> Result<UserId> {
        let (name, mail) = (parse_name(&new.name)?, new.mail.trim());
        let by = Author { user: None, name: name.clone(), now };
        let mut write = self.begin(&by).await?;
        let (digest, at) = (digest(token), to_millis(now));
        let used = sqlx::query!("DELETE FROM invitations WHERE token_digest = ? AND expires_at > ?", digest, at);
        if used.execute(write.db()).await?.rows_affected() == 0 {
            return Err(StoreError::InvitationGone);
        }
        let taken = sqlx::query_scalar!("SELECT count(*) FROM users WHERE mail = ?", mail);
        if taken.fetch_one(write.db()).await? > 0 {
            return Err(StoreError::MailTaken);
        }
        if sqlx::query_scalar!("SELECT count(*) FROM users").fetch_one(write.db()).await? == 0 {
            sqlx::query!("DELETE FROM invitations").execute(write.db()).await?;
        }
        let inserted = sqlx::query!(
            "INSERT INTO users (name, mail, password_hash, created_at) VALUES (?, ?, ?, ?)",
            name,
            mail,
            new.password_hash,
            at
        );
        let id = inserted.execute(write.db()).await?.last_insert_rowid();
        let entry = Entry {
            thing: Thing::User,
            id,
            site: None,
            summary: "joined the team".into(),
            before: None,
            after: Some(json!({ "name": name, "mail": mail })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Starts a session of [`SESSION_HOURS`]; its token, for a cookie.
    ///
    /// # Errors
    /// `Database`.
    pub async fn create_session(&self, user: UserId, now: OffsetDateTime) -> Result<String> {
        let (token, digest) = new_token()?;
        let (at, expires) = (to_millis(now), to_millis(now + Duration::hours(SESSION_HOURS)));
        sqlx::query!("DELETE FROM sessions WHERE expires_at <= ?", at).execute(&self.0.writer).await?;
        sqlx::query!(
            "INSERT INTO sessions (token_digest, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
            digest,
            user,
            at,
            expires
        )
        .execute(&self.0.writer)
        .await?;
        Ok(token)
    }

    /// Who a session token belongs to, unless it has ended.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_session(&self, token: &str, now: OffsetDateTime) -> Result<Option<User>> {
        let (digest, now) = (digest(token), to_millis(now));
        let row = sqlx::query_as!(
            UserRow,
            "SELECT u.id, u.name, u.mail, u.password_hash, u.theme, u.created_at
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_digest = ? AND s.expires_at > ?",
            digest,
            now
        );
        row.fetch_optional(self.reader()).await?.map(UserRow::read).transpose()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `Database`.
    pub async fn delete_session(&self, token: &str) -> Result<()> {
        let digest = digest(token);
        sqlx::query!("DELETE FROM sessions WHERE token_digest = ?", digest).execute(&self.0.writer).await?;
        Ok(())
    }
}

impl UserRow {
    fn read(self) -> Result<User> {
        Ok(User {
            theme: Theme::parse(&self.theme).unwrap_or_default(),
            created_at: from_millis(self.created_at)?,
            id: self.id,
            name: self.name,
            mail: self.mail,
            password_hash: self.password_hash,
        })
    }
}

/// A random token of 256 bits for a link or a cookie, and its digest for the database.
fn new_token() -> Result<(String, Vec<u8>)> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Internal("no random numbers".into()))?;
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let digest = digest(&token);
    Ok((token, digest))
}

fn digest(token: &str) -> Vec<u8> {
    Fingerprint::of(token.as_bytes()).0.to_vec()
}
