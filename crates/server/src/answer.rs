//! The body of an answer: bytes at hand, in one piece or several, or a file read as it is sent.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

use crate::content::Sending;

/// What is sent after the head.
pub(crate) enum Body {
    Bytes(Full<Bytes>),
    Pieces(Pieces),
    File(Sending),
}

/// Bytes at hand that are sent one after the other, each shared with others who get the same.
#[derive(Default)]
pub(crate) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    /// What comes next; nothing is no piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.0.push_back(piece);
        }
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }
}

/// What a visitor gets.
pub(crate) type Answer = Response<Body>;

impl Body {
    pub(crate) fn empty() -> Self {
        Self::from(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(Full::new(bytes))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Pin::new(bytes).poll_frame(cx).map_err(|never| match never {}),
            Self::Pieces(pieces) => Poll::Ready(pieces.0.pop_front().map(|piece| Ok(Frame::data(piece)))),
            Self::File(file) => Pin::new(file).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_end_stream(),
            Self::Pieces(pieces) => pieces.0.is_empty(),
            Self::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => bytes.size_hint(),
            Self::Pieces(pieces) => SizeHint::with_exact(pieces.len()),
            Self::File(file) => file.size_hint(),
        }
    }
}
