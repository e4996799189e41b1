//! Calls of the Bot API, as data.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_guest::{Upload, http};

/// One call of a method.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) content: Content,
    /// The timeout in milliseconds. `None` means the time that remains for the host's call of this guest.
    pub(crate) timeout_ms: Option<u32>,
}

/// A method's parameters.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Vec<u8>),
    /// A multipart form, for methods with files. The host keeps the files' bytes.
    Form {
        fields: Vec<(&'static str, String)>,
        /// The files, each with the name that the fields refer to.
        files: Vec<(Cow<'static, str>, Upload)>,
    },
}

impl Request {
    pub(crate) fn json(method: &'static str, parameters: &impl Serialize) -> Self {
        Self { method, content: Content::Json(encode(parameters)), timeout_ms: None }
    }

    pub(crate) fn form(
        method: &'static str,
        fields: Vec<(&'static str, String)>,
        files: Vec<(Cow<'static, str>, Upload)>,
    ) -> Self {
        Self { method, content: Content::Form { fields, files }, timeout_ms: None }
    }
}

/// Encodes parameters, which are plain structs with string keys: this cannot fail.
fn encode(parameters: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(parameters).unwrap_or_default()
}

impl Content {
    pub(super) fn body(&self) -> http::Body {
        let (fields, files) = match self {
            Self::Json(json) => return http::Body::Bytes(json.clone()),
            Self::Form { fields, files } => (fields, files),
        };
        let fields = fields.iter().map(|(name, value)| http::Part {
            name: (*name).to_owned(),
            filename: None,
            media_type: None,
            content: http::Content::Bytes(value.clone().into_bytes()),
        });
        let files = files.iter().map(|(name, upload)| http::Part {
            name: name.clone().into_owned(),
            filename: Some(upload.name.clone()),
            media_type: Some(upload.media_type.clone()),
            content: http::Content::Upload(upload.clone()),
        });
        http::Body::Form(fields.chain(files).collect())
    }
}

#[cfg(test)]
impl Request {
    /// Returns the JSON parameters, for tests.
    pub(crate) fn parameters(&self) -> serde_json::Value {
        match &self.content {
            Content::Json(json) => serde_json::from_slice(json).unwrap(),
            Content::Form { .. } => panic!("{} has a form", self.method),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_along_by_its_handle() {
        let upload =
            Upload { handle: 7, name: "a b.pdf".into(), media_type: "application/pdf".into(), size: 3 };
        let fields = vec![("chat_id", "-100".to_owned())];
        let request = Request::form("sendDocument", fields, vec![("document".into(), upload)]);
        let http::Body::Form(parts) = request.content.body() else { panic!() };
        let [field, file] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!((field.name.as_str(), &field.filename), ("chat_id", &None));
        assert!(matches!(&field.content, http::Content::Bytes(bytes) if bytes == b"-100"));
        assert_eq!((file.name.as_str(), file.filename.as_deref()), ("document", Some("a b.pdf")));
        assert_eq!(file.media_type.as_deref(), Some("application/pdf"));
        assert!(matches!(&file.content, http::Content::Upload(upload) if upload.handle == 7));
    }
}
