//! Sessions: who is signed in.

use time::{Duration, OffsetDateTime};

use super::token::{digest, new_token};
use super::users::{User, UserRow};
use super::{Result, Store, to_millis};
use crate::ledger::UserId;

/// How long a session lasts after it was last used: twelve hours, give or take a quarter.
pub const SESSION_HOURS: i64 = 12;

impl Store {
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

    /// Who a session token belongs to, unless it has ended. A session that is used goes on.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_session(&self, token: &str, now: OffsetDateTime) -> Result<Option<User>> {
        let (digest, at) = (digest(token), to_millis(now));
        let row = sqlx::query_as!(
            UserRow,
            r#"SELECT u.id, u.name, u.mail, u.password_hash, u.theme, u.created_at,
                      u.may_export_keys AS "may_export_keys: bool"
               FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_digest = ? AND s.expires_at > ?"#,
            digest,
            at
        );
        let Some(row) = row.fetch_optional(self.reader()).await? else { return Ok(None) };
        let (expires, due) = (now + Duration::hours(SESSION_HOURS), now + Duration::hours(SESSION_HOURS * 3 / 4));
        let (expires, due) = (to_millis(expires), to_millis(due));
        sqlx::query!(
            "UPDATE sessions SET expires_at = ?1 WHERE token_digest = ?2 AND expires_at < ?3",
            expires,
            digest,
            due
        )
        .execute(&self.0.writer)
        .await?;
        row.read().map(Some)
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
