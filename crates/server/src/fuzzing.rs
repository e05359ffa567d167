//! What the fuzz targets in `fuzz/` call. It is built for them alone.

use http::request::Parts;
use siteward_core::host::HostName;

/// The host that a request is for; the sentence of the refusal where that can't be told.
///
/// # Errors
/// What the visitor is told.
pub fn host(request: &Parts) -> Result<Option<HostName>, String> {
    crate::asked::host(request).map_err(|error| error.to_string())
}
