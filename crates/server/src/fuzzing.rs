//! What the fuzz targets in `fuzz/` call. It is built for them alone.

use http::request::Parts;
use siteward_core::host::HostName;

use crate::refusal::Language;

/// The host that a request is for.
///
/// # Errors
/// Why that can't be told.
pub fn host(request: &Parts) -> Result<Option<HostName>, String> {
    crate::asked::host(request).map_err(|error| format!("{error:?}"))
}

/// The tag of the language in which whoever sent this request is spoken to.
pub fn language(request: &Parts) -> &'static str {
    Language::of(&request.headers).tag()
}
