//! The first page: how many sites let nobody in without HTTPS, and what needs attention.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;

use crate::error::Answer;
use crate::session::Session;
use crate::shell::Shell;

#[derive(Template, WebTemplate)]
#[template(path = "overview/show.html")]
struct OverviewPage {
    shell: Shell,
}

/// The overview.
pub(crate) async fn show(session: Session) -> Answer {
    let shell = session.shell("/").await?;
    Ok(OverviewPage { shell }.into_response())
}
