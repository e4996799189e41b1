//! The clients that may use the page: this machine's own browser tabs of this page, and programs that are not browsers.
//!
//! The `Host` check stops a foreign name that resolves to loopback (DNS rebinding). The `Origin` check stops another
//! site's scripts, forms and sockets. Browsers send no origin with a GET: `Sec-Fetch-Site` stops what a page of another
//! site loads, and a link that is followed brings no events (see `page`).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::brief;

/// The names that this page is known by.
#[derive(Debug)]
pub(super) struct Hosts([String; 3]);

impl Hosts {
    pub(super) fn of(port: u16) -> Self {
        Self(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")))
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Fails with a complaint if these headers come from elsewhere.
    fn judge(&self, headers: &HeaderMap) -> Result<(), String> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let host = headers.get(header::HOST).map(text).unwrap_or_default();
        if !self.has(&host) {
            return Err(format!(
                "This page is not served as {:?}. Open http://{}/ instead.\n",
                brief(&host),
                self.0[0]
            ));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter().map(text);
        let foreign = |origin: &String| !origin.strip_prefix("http://").is_some_and(|host| self.has(host));
        if let Some(origin) = origins.find(foreign) {
            return Err(format!("Pages of {:?} may not use this one.\n", brief(&origin)));
        }
        let fetch = |name: &str| headers.get(name).map(text).unwrap_or_default();
        match fetch("sec-fetch-site").as_str() {
            // A program that is not a browser, an address that was typed, or the page itself.
            "" | "none" | "same-origin" => Ok(()),
            // A link on another page. A frame in another page does not match.
            _ if fetch("sec-fetch-mode") == "navigate" && fetch("sec-fetch-dest") == "document" => Ok(()),
            site => Err(format!(
                "Pages of another site may not use this one (Sec-Fetch-Site: {}).\n",
                brief(site)
            )),
        }
    }
}

pub(super) async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let mut response = match hosts.judge(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(complaint) => {
            let (method, path) = (brief(request.method().as_str()), brief(request.uri().path()));
            tracing::warn!("refused {method} {path}: {}", complaint.trim());
            (StatusCode::FORBIDDEN, complaint).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        Hosts::of(8787).judge(&headers).is_ok()
    }

    #[test]
    fn what_another_sites_page_loads_is_refused() {
        for (site, mode, dest, good) in [
            ("same-origin", "cors", "empty", true),
            ("none", "navigate", "document", true),
            ("cross-site", "navigate", "document", true),
            ("cross-site", "no-cors", "image", false),
            ("same-site", "no-cors", "image", false),
            ("cross-site", "navigate", "iframe", false),
            ("cross-site", "", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "localhost:8787".parse().unwrap());
            for (name, value) in
                [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]
            {
                headers.insert(name, value.parse().unwrap());
            }
            assert_eq!(Hosts::of(8787).judge(&headers).is_ok(), good, "{site} {mode} {dest}");
        }
    }

    #[test]
    fn only_the_page_itself_and_programs_may_talk() {
        assert!(judge("127.0.0.1:8787", None));
        assert!(judge("localhost:8787", Some("http://localhost:8787")));
        assert!(judge("LOCALHOST:8787", Some("http://127.0.0.1:8787")));
        for (host, origin) in [
            ("evil.example:8787", None),
            ("127.0.0.1:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:8787", Some("http://evil.example")),
            ("127.0.0.1:8787", Some("https://127.0.0.1:8787")),
            ("127.0.0.1:8787", Some("http://127.0.0.1:9999")),
            ("127.0.0.1:8787", Some("http://127.0.0.1:8787.evil.example")),
            ("127.0.0.1:8787", Some("null")),
        ] {
            assert!(!judge(host, origin), "{host} {origin:?}");
        }
        assert!(Hosts::of(1).judge(&HeaderMap::new()).is_err());
    }
}
