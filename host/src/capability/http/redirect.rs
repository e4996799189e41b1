//! Redirects: the next URL and method, and what of the request is sent again.

use reqwest::{Method, StatusCode};
use url::Url;

/// The most redirects that one request follows.
pub(super) const REDIRECTS: u32 = 5;

/// The request that a redirect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether the body is sent again.
    pub(super) with_body: bool,
}

impl Redirect {
    /// Returns the redirect that a response with this status and this `Location` asks for, or `None` if it is not a
    /// redirect.
    pub(super) fn of(status: StatusCode, location: Option<&str>, url: &Url, method: &Method) -> Option<Self> {
        let target = || url.join(location?).ok();
        let same = |target| Self { url: target, method: method.clone(), with_body: true };
        match status {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => target().map(same),
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
                let becomes_get =
                    *method == Method::POST || (status == StatusCode::SEE_OTHER && *method != Method::HEAD);
                if becomes_get {
                    target().map(|url| Self { url, method: Method::GET, with_body: false })
                } else {
                    target().map(same)
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_followed_as_browsers_do() {
        let url = Url::parse("https://a.example/x/y?z").unwrap();
        for (status, method, location, expected) in [
            (301, Method::POST, "/n", Some(("https://a.example/n", Method::GET, false))),
            (302, Method::POST, "n", Some(("https://a.example/x/n", Method::GET, false))),
            (302, Method::PUT, "n", Some(("https://a.example/x/n", Method::PUT, true))),
            (303, Method::PUT, "?n", Some(("https://a.example/x/y?n", Method::GET, false))),
            (303, Method::HEAD, "/", Some(("https://a.example/", Method::HEAD, true))),
            (307, Method::POST, "//b.example", Some(("https://b.example/", Method::POST, true))),
            (308, Method::GET, "http://[::1]/", Some(("http://[::1]/", Method::GET, true))),
            (300, Method::GET, "/n", None),
            (304, Method::GET, "/n", None),
            (200, Method::GET, "/n", None),
            (302, Method::GET, "http://[", None),
        ] {
            let redirect = Redirect::of(StatusCode::from_u16(status).unwrap(), Some(location), &url, &method);
            let expected = expected.map(|(url, method, with_body)| Redirect {
                url: Url::parse(url).unwrap(),
                method,
                with_body,
            });
            assert_eq!(redirect, expected, "{status} {method} {location}");
        }
        assert_eq!(Redirect::of(StatusCode::FOUND, None, &url, &Method::GET), None);
    }
}
