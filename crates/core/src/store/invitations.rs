//! Invitations: links with which somebody joins the team.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::token::{digest, new_token};
use super::write::Entry;
use super::{Result, Store, StoreError, from_millis, parse_name, to_millis};
use crate::ledger::{Author, SITEWARD, Thing};

/// How long an invitation can be used: seven days, in hours.
pub const INVITATION_HOURS: i64 = 7 * 24;

/// An open invitation.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Row id.
    pub id: i64,
    /// Who invited.
    pub invited_by: String,
    /// For whom, in the words of who invited.
    pub note: String,
    /// Until when it can be used.
    pub expires_at: OffsetDateTime,
}

impl Store {
    /// Invites somebody; the token to put into the link. The set-up link of a first start is one too.
    ///
    /// # Errors
    /// `Name` where the note does not say for whom.
    pub async fn create_invitation(&self, note: &str, by: &Author) -> Result<String> {
        let note = parse_name(note)?;
        let (token, digest) = new_token()?;
        let (now, expires) = (to_millis(by.now), to_millis(by.now + Duration::hours(INVITATION_HOURS)));
        let mut write = self.begin(by).await?;
        // A set-up link ends the one of an earlier start.
        sqlx::query!("DELETE FROM invitations WHERE expires_at <= ? OR invited_by = ?", now, SITEWARD)
            .execute(write.db())
            .await?;
        sqlx::query!(
            "INSERT INTO invitations (token_digest, user_id, invited_by, note, expires_at) VALUES (?, ?, ?, ?, ?)",
            digest,
            by.user,
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
            "SELECT id, invited_by, note, expires_at FROM invitations WHERE token_digest = ? AND expires_at > ?",
            digest,
            now
        );
        let row = row.fetch_optional(self.reader()).await?.ok_or(StoreError::InvitationGone)?;
        Ok(Invitation {
            id: row.id,
            invited_by: row.invited_by,
            note: row.note,
            expires_at: from_millis(row.expires_at)?,
        })
    }

    /// Every open invitation.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_invitations(&self, now: OffsetDateTime) -> Result<Vec<Invitation>> {
        let now = to_millis(now);
        let rows = sqlx::query!(
            "SELECT id, invited_by, note, expires_at FROM invitations WHERE expires_at > ? ORDER BY expires_at",
            now
        );
        let rows = rows.fetch_all(self.reader()).await?.into_iter().map(|row| {
            Ok(Invitation {
                id: row.id,
                invited_by: row.invited_by,
                note: row.note,
                expires_at: from_millis(row.expires_at)?,
            })
        });
        rows.collect()
    }

    /// Withdraws an open invitation: its link is worth nothing from now on.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn withdraw_invitation(&self, id: i64, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let row = sqlx::query!("DELETE FROM invitations WHERE id = ? RETURNING note", id);
        let note = row.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?.note;
        let entry = Entry {
            thing: Thing::User,
            id: 0,
            site: None,
            summary: format!("withdrew the invitation of {note}"),
            before: Some(json!({ "note": note })),
            after: None,
            touched: Vec::new(),
        };
        write.commit(entry).await
    }
}
