//! Tests of rendered messages, by example.

use super::{
    super::{Piece, escape},
    render,
};

/// Renders a text of at most one message, and returns its HTML.
fn html(markdown: &str) -> String {
    let mut pieces = render(markdown, 4_096);
    assert!(pieces.len() < 2, "{pieces:#?}");
    pieces.pop().map(|piece| piece.html).unwrap_or_default()
}

#[test]
fn inline_formats_become_tags() {
    for (markdown, expected) in [
        ("plain", "plain"),
        ("**a** *b* _c_ __d__ ~~e~~", "<b>a</b> <i>b</i> <i>c</i> <b>d</b> <s>e</s>"),
        ("***a** b*", "<b><i>a</i></b><i> b</i>"),
        ("a `b` c", "a <code>b</code> c"),
        ("**a `b` c**", "<b>a </b><code>b</code><b> c</b>"),
        ("***a***", "<b><i>a</i></b>"),
        ("**a **b** c**", "<b>a b c</b>"),
        ("1 < 2 && \"3\" > 2", "1 &lt; 2 &amp;&amp; &quot;3&quot; &gt; 2"),
        ("&lt;b&gt; &nbsp;x &copy;", "&lt;b&gt; \u{a0}x ©"),
        ("`<b>&amp;`", "<code>&lt;b&gt;&amp;amp;</code>"),
        ("a <b>b</b> <br/> c", "a &lt;b&gt;b&lt;/b&gt; &lt;br/&gt; c"),
        ("a <!-- b --> c", "a &lt;!-- b --&gt; c"),
        ("snake_case_name 2*3*4", "snake_case_name 2<i>3</i>4"),
        ("a  \nb\\\nc\nd", "a\nb\nc\nd"),
        ("**a\nb**", "<b>a\nb</b>"),
        ("\\*a\\*", "*a*"),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn links_lead_where_telegram_can_go_and_are_spelled_out_elsewhere() {
    for (markdown, expected) in [
        ("[a](https://b.c/?d&e \"title\")", "<a href=\"https://b.c/?d&amp;e\">a</a>"),
        ("<https://a.b/c>", "<a href=\"https://a.b/c\">https://a.b/c</a>"),
        ("[a *b*](https://c.d)", "<a href=\"https://c.d\">a <i>b</i></a>"),
        ("[a\nb](https://c.d)", "<a href=\"https://c.d\">a\nb</a>"),
        ("[  ![\n🙂](https://c.d)", "[\n<a href=\"https://c.d\">🙂</a>"),
        ("**[a](https://c.d)**", "<a href=\"https://c.d\"><b>a</b></a>"),
        ("[`a`](https://c.d)", "<a href=\"https://c.d\">a</a>"),
        ("[a][1]\n\n[1]: https://c.d", "<a href=\"https://c.d\">a</a>"),
        ("[a](https://c.d)[b](https://c.d)", "<a href=\"https://c.d\">a</a><a href=\"https://c.d\">b</a>"),
        ("[](https://c.d)", "<a href=\"https://c.d\">https://c.d</a>"),
        ("[a](<https://c.d/\"x\">)", "<a href=\"https://c.d/&quot;x&quot;\">a</a>"),
        ("[m](src/main.rs#L3)", "m (src/main.rs#L3)"),
        ("[src/main.rs](src/main.rs)", "src/main.rs"),
        ("**[m](main.rs)** x", "<b>m (main.rs)</b> x"),
        ("[page](http://localhost:8080/)", "page (http://localhost:8080/)"),
        ("<http://localhost:8080/>", "http://localhost:8080/"),
        ("[a](javascript:alert(1))", "a (javascript:alert(1))"),
        ("[Ada](mailto:ada@b.example) <ada@b.example>", "Ada (ada@b.example) ada@b.example"),
        ("[part](#part)", "part"),
        ("[a]()", "a"),
        ("![a cat](https://c.d/cat.png)", "<a href=\"https://c.d/cat.png\">a cat</a>"),
        ("![](https://c.d/cat.png)", "<a href=\"https://c.d/cat.png\">https://c.d/cat.png</a>"),
        ("![a cat](cat.png)", "a cat (cat.png)"),
        ("[![a](https://i.d/x)](https://c.d)", "<a href=\"https://c.d\">a</a>"),
        ("[![a](https://i.d/x)](c)", "<a href=\"https://i.d/x\">a</a> (c)"),
        ("https://a.b/c_d_e", "https://a.b/c_d_e"),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn blocks_are_an_empty_line_apart() {
    for (markdown, expected) in [
        ("a\n\n\n\nb", "a\n\nb"),
        ("a&#10;\n\nb", "a\n\nb"),
        ("# A\nb\n## C *d*\ne", "<b>A</b>\n\nb\n\n<b>C <i>d</i></b>\n\ne"),
        ("A\n===\nb", "<b>A</b>\n\nb"),
        ("# A `b`", "<b>A </b><code>b</code>"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("\n\n   \n a \n\n ", "a"),
        ("<div>\n  <b>a</b>\n</div>\n\nc", "&lt;div&gt;\n  &lt;b&gt;a&lt;/b&gt;\n&lt;/div&gt;\n\nc"),
        ("<!--\na\n\nb\n-->\nc", "&lt;!--\na\n\nb\n--&gt;\n\nc"),
        ("a[^x]\n\n[^x]: b *c*", "a[x]\n\n[x] b <i>c</i>"),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn lists_keep_their_numbers_and_their_levels() {
    for (markdown, expected) in [
        ("- a\n- b", "• a\n• b"),
        ("* a\n  + b\n    - c\n* d", "• a\n  • b\n    • c\n• d"),
        ("3. a\n4. b\n   - c", "3. a\n4. b\n   • c"),
        ("1) a\n1) b", "1. a\n2. b"),
        ("- a\n\n- b", "• a\n\n• b"),
        ("- a\n\n  - b\n\n- c", "• a\n\n  • b\n\n• c"),
        ("- a\n\n  b\n- c", "• a\n\n  b\n\n• c"),
        ("- a\n  b", "• a\n  b"),
        ("a\n- b\n\nc", "a\n\n• b\n\nc"),
        ("- [ ] a\n- [x] b", "☐ a\n☑ b"),
        ("1. [x] a", "1. ☑ a"),
        ("- [ ] a\n\n- [x] b", "☐ a\n\n☑ b"),
        ("-\n- a", "•\n• a"),
        ("- - a\n  - b", "• • a\n  • b"),
        ("- **a**: b", "• <b>a</b>: b"),
        ("- a\n  ```\n  b\n  ```\n- c", "• a\n<pre>b</pre>\n• c"),
        ("- ```\n  b\n  ```", "•\n<pre>b</pre>"),
        ("- a\n  > b\n- c", "• a\n<blockquote>b</blockquote>\n\n• c"),
        ("- > a\n  > - b", "<blockquote>• a\n\n• b</blockquote>"),
        ("- # a\n  b", "• <b>a</b>\n\n  b"),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn deep_lists_do_not_wander_off() {
    let stairs: String = (0..12).map(|depth| "  ".repeat(depth) + "- a\n").collect();
    let indents: Vec<_> = html(&stairs).lines().map(|line| line.find('•').unwrap()).collect();
    assert_eq!(indents, [0, 2, 4, 6, 8, 10, 12, 14, 16, 16, 16, 16]);
}

#[test]
fn quotes_are_one_level_deep() {
    for (markdown, expected) in [
        ("> a\n> b\n\nc", "<blockquote>a\nb</blockquote>\n\nc"),
        ("> a\n>\n> **b**", "<blockquote>a\n\n<b>b</b></blockquote>"),
        ("> a\n> > b\n> > > c\n>\n> d", "<blockquote>a\n\nb\n\nc\n\nd</blockquote>"),
        ("> a\n\n> b", "<blockquote>a</blockquote>\n\n<blockquote>b</blockquote>"),
        ("> - a\n> - b", "<blockquote>• a\n• b</blockquote>"),
        (
            "> ```sh\n> a\n> ```\n> `b`",
            "<blockquote><pre><code class=\"language-sh\">a</code></pre>\n\n<code>b</code></blockquote>",
        ),
        ("> [!WARNING]\n> a", "<blockquote><b>Warning</b>\na</blockquote>"),
        (">", ""),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn code_blocks_keep_what_is_in_them() {
    for (markdown, expected) in [
        (
            "```rust\nfn a() {}\n\n  b < c;\n```",
            "<pre><code class=\"language-rust\">fn a() {}\n\n  b &lt; c;</code></pre>",
        ),
        ("```\na\n```\n```\nb\n```", "<pre>a</pre>\n\n<pre>b</pre>"),
        ("    a\n      b", "<pre>a\n  b</pre>"),
        ("~~~C++ title=x\na\n~~~", "<pre><code class=\"language-c++\">a</code></pre>"),
        ("```rust,ignore\na\n```", "<pre><code class=\"language-rust\">a</code></pre>"),
        ("```\"><b>\na\n```", "<pre>a</pre>"),
        ("```text\n\ta\n  \tb\n```", "<pre><code class=\"language-text\">    a\n    b</code></pre>"),
        ("```\r\na\r\nb\r\n```\r\nc", "<pre>a\nb</pre>\n\nc"),
        ("a\n\n```\n\n```\n\nb", "a\n\nb"),
        ("```\n  a\n```", "<pre>  a</pre>"),
        ("```\nopen *a*", "<pre>open *a*</pre>"),
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn tables_are_aligned_or_told_row_by_row() {
    let (wide, label) = ("w".repeat(55), "l".repeat(20));
    for (markdown, expected) in [
        (
            "| Name | Age |\n|:-----|----:|\n| Ada | 36 |\n| **Bob** | 7 |",
            "<pre>Name | Age\n-----+----\nAda  |  36\nBob  |   7</pre>".to_owned(),
        ),
        ("|a|b|c|\n|:-:|-|-|\n|`wide`|漢字|\n", "<pre> a   | b    | c\n-----+------+--\nwide | 漢字 |</pre>".to_owned()),
        ("| | |\n|-|-|\n|a|b|", "<pre>a | b</pre>".to_owned()),
        ("|a|\n|-|\nb", "<pre>a\n-\nb</pre>".to_owned()),
        ("|a|\n|-|", "<pre>a\n-</pre>".to_owned()),
        ("|a|long|\n|-|-|\n|b|c|\n|d|e|", "<pre>a | long\n--+-----\nb | c\nd | e</pre>".to_owned()),
        ("|a&#10;b|\n|-|", "<pre>a b\n---</pre>".to_owned()),
        (&format!("|{wide} b|c|\n|-|-|"), format!("{wide} b\nc")),
        (&format!("|{label}|{label}|{label}|\n|-|-|-|"), format!("{label}\n{label}\n{label}")),
        ("| |\n|-|", String::new()),
        ("a\n\n| |\n|-|\n| |\n| |\n\nb", "a\n\nb".to_owned()),
        (
            "x\n\n|PR|Title|\n|-|-|\n|[1](https://a.b)|A `b`|\n|2||\n\ny",
            "x\n\n<b>PR:</b> <a href=\"https://a.b\">1</a>\n<b>Title:</b> A <code>b</code>\n\n<b>PR:</b> 2\n\ny"
                .to_owned(),
        ),
        (
            &format!("|a|b|\n|-|-|\n|c|{wide} x y z|\n|d|*{wide}*|"),
            format!("<b>a:</b> c\n<b>b:</b> {wide} x y z\n\n<b>a:</b> d\n<b>b:</b> <i>{wide}</i>"),
        ),
        (&format!("|{wide} b|c|\n|-|-|\n|d||\n|e|f g|"), format!("{wide} b\nc\n\nd\n\ne\nf g"))
    ] {
        assert_eq!(html(markdown), expected, "{markdown}");
    }
}

#[test]
fn a_text_that_shows_nothing_is_no_message() {
    for markdown in
        ["", " \n\t\n ", "\u{200b}", "&nbsp;&#8203;", "*&#8203;*", "```\n \n```", "[x]: https://a.b"]
    {
        assert_eq!(render(markdown, 4_096), [], "{markdown:?}");
    }
    assert_eq!(render("a", 0), []);
    assert_eq!(render("🙂", 1), []);
}

#[test]
fn the_plain_text_is_what_the_markup_shows() {
    let piece =
        Piece { html: "• <b>a</b> &lt; <a href=\"https://b.c\">d</a>".into(), text: "• a < d".into() };
    assert_eq!(render("- **a** < [d](https://b.c)", 4_096), [piece]);
}

#[test]
fn long_texts_are_cut_at_the_best_place() {
    for (markdown, limit, expected) in [
        ("one two\n\nthree four\n\nfive", 21, vec!["one two\n\nthree four", "five"]),
        ("one two\n\nthree four", 18, vec!["one two", "three four"]),
        ("one\ntwo three", 10, vec!["one", "two three"]),
        ("one two three", 7, vec!["one two", "three"]),
        ("one two three", 8, vec!["one two", "three"]),
        ("abcdefghij", 4, vec!["abcd", "efgh", "ij"]),
        ("aaaa\n\n# B\n\nc d e f", 9, vec!["aaaa", "<b>B</b>\n\nc d e", "f"]),
        ("**one two**", 5, vec!["<b>one</b>", "<b>two</b>"]),
        ("> *a b\n> c*", 4, vec!["<blockquote><i>a b</i></blockquote>", "<blockquote><i>c</i></blockquote>"]),
        (
            "[one two](https://a.b)",
            4,
            vec!["<a href=\"https://a.b\">one</a>", "<a href=\"https://a.b\">two</a>"],
        ),
        (
            "```rs\n  one\n\n  two\n```",
            6,
            vec![
                "<pre><code class=\"language-rs\">  one</code></pre>",
                "<pre><code class=\"language-rs\">  two</code></pre>",
            ],
        ),
        ("- one\n  - two\n  - three", 9, vec!["• one", "  • two", "  • three"]),
        ("&lt;&lt;&lt;", 1, vec!["&lt;", "&lt;", "&lt;"]),
        ("🙂🙂", 3, vec!["🙂", "🙂"]),
        ("🙂a", 1, vec!["a"]),
        ("ae\u{301}e\u{301}", 4, vec!["ae\u{301}", "e\u{301}"]),
        ("👍🏽👍🏽", 6, vec!["👍🏽", "👍🏽"]),
        ("👍🏽", 3, vec!["👍", "🏽"]),
        ("a🇩🇪🇫🇷", 7, vec!["a🇩🇪", "🇫🇷"]),
        ("👩\u{200d}🔬👩\u{200d}🔬", 9, vec!["👩\u{200d}🔬", "👩\u{200d}🔬"]),
        ("a                    b", 5, vec!["a", "b"]),
    ] {
        let pieces = render(markdown, limit);
        let pieces: Vec<_> = pieces.iter().map(|piece| &*piece.html).collect();
        assert_eq!(pieces, expected, "{markdown}");
    }
}

#[test]
fn a_code_block_that_fits_a_message_is_kept_whole() {
    let code = format!("```\n{}\n```", "code\n".repeat(10).trim_end());
    let pieces = render(&format!("{}\n\n{code}\n\nafter", "words ".repeat(5)), 60);
    assert_eq!(pieces.len(), 2);
    assert_eq!(pieces[1].html, format!("<pre>{}</pre>\n\nafter", "code\n".repeat(10).trim_end()));
}

#[test]
fn a_message_has_no_more_formats_than_telegram_shows() {
    let tags = |piece: &Piece| piece.html.matches("<code>").count();
    let long = render(&"`abcdefghij` klmnopqrst ".repeat(150), 4_096);
    assert_eq!(long.iter().map(tags).collect::<Vec<_>>(), [100, 50]);
    let short = render(&"`a` b ".repeat(150), 4_096);
    assert_eq!(short.iter().map(tags).collect::<Vec<_>>(), [100]);
    let address = format!("https://a.b/{}", "c".repeat(1_000));
    let heavy = render(&format!("[link]({address}) ").repeat(20), 4_096);
    assert_eq!(heavy.len(), 1);
    assert_eq!(heavy[0].html.matches("<a ").count(), 7);
    assert_eq!(heavy[0].text.matches("link").count(), 20);
}

#[test]
fn escaped_text_is_shown_as_it_is() {
    assert!(matches!(escape("plain"), std::borrow::Cow::Borrowed("plain")));
    assert_eq!(escape("<a & \"b\" 'c'>"), "&lt;a &amp; &quot;b&quot; 'c'&gt;");
}
