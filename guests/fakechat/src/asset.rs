//! The page's files, which the build embeds into the component.

use tidegate_guest::Response;

const FILES: &[(&str, &str, &[u8])] = &[
    ("/", "text/html; charset=utf-8", include_bytes!("../page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_bytes!("../page/style.css")),
    ("/alert.js", "text/javascript; charset=utf-8", include_bytes!("../page/alert.js")),
    ("/attachment.js", "text/javascript; charset=utf-8", include_bytes!("../page/attachment.js")),
    ("/characters.js", "text/javascript; charset=utf-8", include_bytes!("../page/characters.js")),
    ("/chat.js", "text/javascript; charset=utf-8", include_bytes!("../page/chat.js")),
    ("/composer.js", "text/javascript; charset=utf-8", include_bytes!("../page/composer.js")),
    ("/connection.js", "text/javascript; charset=utf-8", include_bytes!("../page/connection.js")),
    ("/dom.js", "text/javascript; charset=utf-8", include_bytes!("../page/dom.js")),
    ("/editing.js", "text/javascript; charset=utf-8", include_bytes!("../page/editing.js")),
    ("/frame.js", "text/javascript; charset=utf-8", include_bytes!("../page/frame.js")),
    ("/highlight.js", "text/javascript; charset=utf-8", include_bytes!("../page/highlight.js")),
    ("/inline.js", "text/javascript; charset=utf-8", include_bytes!("../page/inline.js")),
    ("/key.js", "text/javascript; charset=utf-8", include_bytes!("../page/key.js")),
    ("/link.js", "text/javascript; charset=utf-8", include_bytes!("../page/link.js")),
    ("/listening.js", "text/javascript; charset=utf-8", include_bytes!("../page/listening.js")),
    ("/log.js", "text/javascript; charset=utf-8", include_bytes!("../page/log.js")),
    ("/markdown.js", "text/javascript; charset=utf-8", include_bytes!("../page/markdown.js")),
    ("/message.js", "text/javascript; charset=utf-8", include_bytes!("../page/message.js")),
    ("/notice.js", "text/javascript; charset=utf-8", include_bytes!("../page/notice.js")),
    ("/outbox.js", "text/javascript; charset=utf-8", include_bytes!("../page/outbox.js")),
    ("/prompt.js", "text/javascript; charset=utf-8", include_bytes!("../page/prompt.js")),
    ("/quoting.js", "text/javascript; charset=utf-8", include_bytes!("../page/quoting.js")),
    ("/search.js", "text/javascript; charset=utf-8", include_bytes!("../page/search.js")),
    ("/transcript.js", "text/javascript; charset=utf-8", include_bytes!("../page/transcript.js")),
    ("/view.js", "text/javascript; charset=utf-8", include_bytes!("../page/view.js")),
    ("/waiting.js", "text/javascript; charset=utf-8", include_bytes!("../page/waiting.js")),
    ("/icon.svg", "image/svg+xml", include_bytes!("../page/icon.svg")),
];

/// The content security policy: the page may only run its own scripts, show its own pictures and connect to its own
/// host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn find(path: &str) -> Response {
    let path = if path == "/index.html" { "/" } else { path };
    match FILES.iter().find(|(name, ..)| *name == path) {
        Some((_, media_type, bytes)) => respond(200, media_type, bytes.to_vec()),
        None => text(404, "There is nothing here. The chat page is at /.\n"),
    }
}

pub(crate) fn text(status: u16, text: &str) -> Response {
    respond(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

pub(crate) fn empty(status: u16) -> Response {
    Response { status, headers: Vec::new(), body: Vec::new() }
}

fn respond(status: u16, media_type: &str, body: Vec<u8>) -> Response {
    let headers = [
        ("content-type", media_type),
        ("content-security-policy", POLICY),
        // The next version of tidegate may have another page.
        ("cache-control", "no-cache"),
        ("referrer-policy", "no-referrer"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Response { status, headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static [u8])> {
        FILES.iter().filter(|(_, media_type, _)| media_type.starts_with("text/javascript"))
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let (_, _, html) = FILES[0];
        let html = std::str::from_utf8(html).unwrap();
        for attribute in ["href=\"", "src=\""] {
            for rest in html.split(attribute).skip(1) {
                let path = rest.split('"').next().unwrap();
                match path.strip_prefix('#') {
                    Some(id) => assert!(html.contains(&format!("id=\"{id}\"")), "{path}"),
                    None => assert_eq!(find(path).status, 200, "{path}"),
                }
            }
        }
        assert_eq!(find("/../Cargo.toml").status, 404);
    }

    #[test]
    fn every_icon_that_a_script_draws_is_in_the_page() {
        let (_, _, html) = FILES[0];
        let html = std::str::from_utf8(html).unwrap();
        let mut drawn = 0;
        for (name, _, script) in scripts() {
            let script = std::str::from_utf8(script).unwrap();
            for rest in script.split("icon('").skip(1) {
                let icon = rest.split('\'').next().unwrap();
                assert!(html.contains(&format!("<symbol id=\"{icon}\"")), "{icon} in {name}");
                drawn += 1;
            }
        }
        assert!(drawn > 0);
    }

    #[test]
    fn every_module_that_a_script_imports_is_there() {
        for (name, _, script) in scripts() {
            let script = std::str::from_utf8(script).unwrap();
            for rest in script.split("from '").skip(1) {
                let path = rest.split('\'').next().unwrap().trim_start_matches('.');
                assert_eq!(find(path).status, 200, "{path} in {name}");
            }
        }
    }
}
