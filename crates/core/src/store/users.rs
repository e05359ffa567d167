//! People who may sign in.

use serde_json::json;
use time::OffsetDateTime;

use super::token::digest;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis, parse_name, to_millis};
use crate::ledger::{Author, COMMAND_LINE, SITEWARD, Thing, UserId};

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
    /// May take private keys out, and allow others to.
    pub may_export_keys: bool,
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

pub(super) struct UserRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) mail: String,
    pub(super) password_hash: String,
    pub(super) theme: String,
    pub(super) created_at: i64,
    pub(super) may_export_keys: bool,
}

impl Store {
    /// Everybody who may sign in, by name.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_users(&self) -> Result<Vec<User>> {
        let rows = sqlx::query_as!(
            UserRow,
            r#"SELECT id, name, mail, password_hash, theme, created_at, may_export_keys AS "may_export_keys: bool" FROM users ORDER BY name, id"#
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
            r#"SELECT id, name, mail, password_hash, theme, created_at, may_export_keys AS "may_export_keys: bool" FROM users WHERE mail = ?"#,
            mail
        );
        row.fetch_optional(self.reader()).await?.map(UserRow::read).transpose()
    }

    /// Removes a person, and ends their sessions and open invitations.
    ///
    /// # Errors
    /// `Gone`, `LastUser`, `LastExporter`.
    pub async fn delete_user(&self, id: UserId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let user = sqlx::query!(r#"SELECT name, mail, may_export_keys AS "may: bool" FROM users WHERE id = ?"#, id)
            .fetch_optional(write.db())
            .await?
            .ok_or(StoreError::Gone)?;
        if sqlx::query_scalar!("SELECT count(*) FROM users").fetch_one(write.db()).await? == 1 {
            return Err(StoreError::LastUser);
        }
        let others = sqlx::query_scalar!("SELECT count(*) FROM users WHERE may_export_keys = 1 AND id <> ?", id);
        if user.may && others.fetch_one(write.db()).await? == 0 {
            return Err(StoreError::LastExporter);
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

    /// Gives a person another password, and ends every session of theirs but the one with the token `keep`.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn update_password(&self, id: UserId, password_hash: &str, keep: &str, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let changed = sqlx::query!("UPDATE users SET password_hash = ? WHERE id = ?", password_hash, id);
        if changed.execute(write.db()).await?.rows_affected() == 0 {
            return Err(StoreError::Gone);
        }
        let keep = digest(keep);
        sqlx::query!("DELETE FROM sessions WHERE user_id = ? AND token_digest <> ?", id, keep)
            .execute(write.db())
            .await?;
        let summary = "changed their own password".into();
        let entry =
            Entry { thing: Thing::User, id, site: None, summary, before: None, after: None, touched: Vec::new() };
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

    /// Adds a person by using up an invitation. The ledger names the new person as its author.
    ///
    /// The first person ends every other invitation: a second set-up link must not outlive the set-up. Who comes by a link
    /// of Siteward's own or of the command line may export private keys, as whoever made that link could.
    ///
    /// # Errors
    /// `InvitationGone`, `MailTaken`, `Name`, `NameTaken`.
    pub async fn create_user(&self, token: &str, new: NewUser, now: OffsetDateTime) -> Result<UserId> {
        let (name, mail) = (parse_name(&new.name)?, new.mail.trim());
        let by = Author { user: None, name: name.clone(), now };
        let mut write = self.begin(&by).await?;
        let (digest, at) = (digest(token), to_millis(now));
        let used = sqlx::query!(
            "DELETE FROM invitations WHERE token_digest = ? AND expires_at > ? RETURNING user_id",
            digest,
            at
        );
        let used = used.fetch_optional(write.db()).await?.ok_or(StoreError::InvitationGone)?;
        let may_export_keys = used.user_id.is_none();
        name_is_free(&mut write, &name).await?;
        let taken = sqlx::query_scalar!("SELECT count(*) FROM users WHERE mail = ?", mail);
        if taken.fetch_one(write.db()).await? > 0 {
            return Err(StoreError::MailTaken);
        }
        if sqlx::query_scalar!("SELECT count(*) FROM users").fetch_one(write.db()).await? == 0 {
            sqlx::query!("DELETE FROM invitations").execute(write.db()).await?;
        }
        let inserted = sqlx::query!(
            "INSERT INTO users (name, mail, password_hash, created_at, may_export_keys) VALUES (?, ?, ?, ?, ?)",
            name,
            mail,
            new.password_hash,
            at,
            may_export_keys
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
}

/// Proves that nobody can be taken for somebody else: the ledger knows people by their names.
async fn name_is_free(write: &mut Write<'_>, name: &str) -> Result<()> {
    let taken = sqlx::query_scalar!("SELECT count(*) FROM users WHERE name = ?", name).fetch_one(write.db()).await?;
    let is_reserved = [SITEWARD, COMMAND_LINE].iter().any(|own| own.eq_ignore_ascii_case(name));
    if taken > 0 || is_reserved { Err(StoreError::NameTaken(name.to_owned())) } else { Ok(()) }
}

impl UserRow {
    pub(super) fn read(self) -> Result<User> {
        Ok(User {
            theme: Theme::parse(&self.theme).unwrap_or_default(),
            created_at: from_millis(self.created_at)?,
            may_export_keys: self.may_export_keys,
            id: self.id,
            name: self.name,
            mail: self.mail,
            password_hash: self.password_hash,
        })
    }
}
