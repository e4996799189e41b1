//! A strict parser of Telegram's HTML (<https://core.telegram.org/bots/api#html-style>) and of `TDLib`'s treatment of
//! it.
//!
//! It knows only documented rules, and shares no code with the module under test.

/// A parsed message.
#[derive(Debug)]
pub(super) struct Message {
    /// The text without tags, with entities decoded.
    pub(super) text: String,
    /// The maximum number of entities.
    pub(super) entities: usize,
    /// Their approximate size, in bytes.
    pub(super) weight: usize,
    /// The addresses of the links.
    pub(super) links: Vec<String>,
}

struct Open {
    name: String,
    /// The length of the text before it.
    start: usize,
}

/// Parses HTML; the error describes a mistake in it.
pub(super) fn parse(html: &str) -> Result<Message, String> {
    let mut message = Message { text: String::new(), entities: 0, weight: 0, links: Vec::new() };
    let mut open: Vec<Open> = Vec::new();
    let mut rest = html;
    while let Some(next) = rest.chars().next() {
        match next {
            '<' => {
                let (tag, after) = rest[1..].split_once('>').ok_or_else(|| format!("open tag: {rest}"))?;
                rest = after;
                match tag.strip_prefix('/') {
                    Some(name) => close(name, &mut open, &message, rest)?,
                    None => start(tag, &mut open, &mut message)?,
                }
            }
            '>' => return Err(format!("a bare >: {rest}")),
            _ => {
                let end = rest.find(['<', '>']).unwrap_or(rest.len());
                message.text.push_str(&decode(&rest[..end])?);
                rest = &rest[end..];
                // Bold and similar formats are split where another format begins or ends inside of them.
                let split = open.iter().filter(|open| ["b", "i", "s", "u"].contains(&&*open.name)).count();
                message.entities += split;
                message.weight += 16 * split;
            }
        }
    }
    match open.last() {
        Some(open) => Err(format!("<{}> stays open", open.name)),
        None => Ok(message),
    }
}

fn start(tag: &str, open: &mut Vec<Open>, message: &mut Message) -> Result<(), String> {
    let (name, attribute) = match tag.split_once(' ') {
        Some((name, attribute)) => (name, Some(attribute)),
        None => (tag, None),
    };
    let value = |name: &str| {
        let value = attribute?.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"')?;
        (!value.contains(['"', '<', '>'])).then(|| decode(value))
    };
    let inside = |names: &[&str]| open.iter().any(|open| names.contains(&&*open.name));
    let language_of = open.last().filter(|last| last.name == "pre" && last.start == message.text.len());
    match (name, attribute) {
        ("b" | "i" | "s" | "u", None) if !inside(&["pre", "code", name]) => {}
        ("blockquote", None) if open.is_empty() => count(message, 0),
        ("code" | "pre", None) if open.iter().all(|open| open.name == "blockquote") => {
            count(message, 0);
        }
        ("a", Some(_)) if !inside(&["a", "pre", "code"]) => {
            let address = value("href").ok_or_else(|| format!("no href: {tag}"))??;
            if !["http://", "https://", "tg://"]
                .iter()
                .any(|scheme| address.to_lowercase().starts_with(scheme))
            {
                return Err(format!("leads nowhere: {tag}"));
            }
            count(message, address.len());
            message.links.push(address);
        }
        ("code", Some(_)) if language_of.is_some() => {
            let class = value("class").ok_or_else(|| format!("no class: {tag}"))??;
            let language = class.strip_prefix("language-").unwrap_or_default();
            let is_name = |c: char| c.is_ascii_alphanumeric() || "+-#._".contains(c);
            if language.is_empty() || language.len() > 32 || !language.chars().all(is_name) {
                return Err(format!("no language: {tag}"));
            }
            message.weight += language.len();
        }
        _ => return Err(format!("<{tag}> may not be here: {open:?}", open = names(open))),
    }
    open.push(Open { name: name.to_owned(), start: message.text.len() });
    Ok(())
}

fn close(name: &str, open: &mut Vec<Open>, message: &Message, rest: &str) -> Result<(), String> {
    let last = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
    if last.name != name {
        return Err(format!("</{name}> closes <{}>", last.name));
    }
    if last.start == message.text.len() {
        return Err(format!("<{name}> is empty"));
    }
    if name == "code" && open.last().is_some_and(|outer| outer.name == "pre") && !rest.starts_with("</pre>") {
        return Err("code with a language is all of its block".into());
    }
    Ok(())
}

fn count(message: &mut Message, extra: usize) {
    message.entities += 1;
    message.weight += 16 + extra;
}

fn names(open: &[Open]) -> Vec<&str> {
    open.iter().map(|open| &*open.name).collect()
}

fn decode(text: &str) -> Result<String, String> {
    let mut decoded = String::new();
    let mut parts = text.split('&');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (entity, rest) = part.split_once(';').ok_or_else(|| format!("a bare &: {text}"))?;
        decoded.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            _ => entity
                .strip_prefix('#')
                .and_then(|digits| digits.parse().ok())
                .and_then(char::from_u32)
                .ok_or_else(|| format!("unknown: &{entity};"))?,
        });
        decoded.push_str(rest);
    }
    Ok(decoded)
}

#[test]
fn the_checker_takes_what_telegram_takes() {
    for (html, text, entities) in [
        ("", "", 0),
        ("a &lt;b&gt; &amp;amp; &quot; &#8226;", "a <b> &amp; \" •", 0),
        ("<b>a <i>b</i></b><u><s>c</s></u>", "a bc", 5),
        ("<blockquote>a <b>b</b> <code>c</code>\n<pre>d</pre></blockquote>", "a b c\nd", 4),
        ("<pre><code class=\"language-c++\">a</code></pre>", "a", 1),
        ("<a href=\"https://a.b/?c&amp;d\">e <b>f</b></a>", "e f", 2),
    ] {
        let message = parse(html).unwrap();
        assert_eq!((&*message.text, message.entities), (text, entities), "{html}");
    }
}

#[test]
fn the_checker_refuses_everything_else() {
    for html in [
        "<b>a",
        "a</b>",
        "<b><i>a</b></i>",
        "<b></b>",
        "<b><b>a</b></b>",
        "<b",
        "a > b",
        "a & b",
        "a &nbsp; b",
        "<br>",
        "<B>a</B>",
        "<b class=\"x\">a</b>",
        "<code><b>a</b></code>",
        "<b><code>a</code></b>",
        "<b><pre>a</pre></b>",
        "<pre>a<code class=\"language-c\">b</code></pre>",
        "<pre><code class=\"language-c\">b</code>a</pre>",
        "<pre><code>b</code></pre>",
        "<code class=\"language-c\">a</code>",
        "<pre><code class=\"language-\">a</code></pre>",
        "<pre><code class=\"language-a b\">a</code></pre>",
        "<blockquote>a<blockquote>b</blockquote></blockquote>",
        "<b><blockquote>a</blockquote></b>",
        "<a href=\"https://a.b\"><code>a</code></a>",
        "<a href=\"https://a.b\"><a href=\"https://a.b\">a</a></a>",
        "<a href=\"javascript:alert(1)\">a</a>",
        "<a href='https://a.b'>a</a>",
        "<a href=\"https://a.b\" x>a</a>",
        "<a>a</a>",
    ] {
        assert!(parse(html).is_err(), "{html}");
    }
}
