//! Tests with inputs that could be slow, deep or large.

use std::time::{Duration, Instant};

use super::{grammar, render};

const SIZE: usize = 100_000;

const LIMIT: usize = 4_096;

/// The time limit: several times the time that a debug build needs.
const SLOW: Duration = Duration::from_secs(1);

/// The stack size, in bytes: an eighth of what the linker gives a guest.
const STACK: usize = 128 << 10;

/// The texts that are repeated to make a large input.
const UNITS: [&str; 79] = [
    "a",
    "[",
    "[[",
    "![",
    "![](",
    "[a](",
    "[a](<b",
    "*",
    "**",
    "***",
    "_",
    "*a ",
    "**a ",
    "*a_b ",
    "a***",
    "~~a ",
    "`",
    "` ``",
    "``a",
    "> ",
    "> > ",
    ">\n",
    "- ",
    "* ",
    "1. ",
    "- > ",
    "> - ",
    "> > > a\n",
    "#",
    "# a\n",
    "|",
    "|-",
    "|a|\n|-|\n",
    "<",
    "<a ",
    "<!--",
    "</",
    "<?",
    "<![CDATA[",
    "&",
    "&amp;",
    "&#",
    "\\",
    "\n",
    "\r\n",
    " ",
    "\t",
    "[^a]",
    "[^a]: b\n\n",
    "[a]: b\n",
    "[a][b]",
    "](",
    "[*_a",
    "[ (](",
    "[x](y) ",
    "![x](y) ",
    "[x](https://a.b) ",
    "*a* ",
    "`a` ",
    "**a** *b* ~~c~~ `d` ",
    "```\n",
    "~~~a\n",
    "    a\n",
    "===\n",
    "---\n",
    "- [ ] ",
    "- [x] a\n",
    "> [!NOTE]\n",
    "🙂",
    "🇩",
    "\u{301}",
    "\u{200d}",
    "\u{200b}",
    "\0",
    "<b>",
    "<div>\n",
    "<http://a.b>",
    "a@b.c ",
    "http://a.b ",
];

fn filled(unit: &str) -> String {
    unit.repeat(SIZE / unit.len())
}

#[test]
fn nothing_takes_long_or_much_stack() {
    let both = |open: &str, close: &str| format!("{}a{}", open.repeat(SIZE / 2), close.repeat(SIZE / 2));
    let steps = |step: &str, end: &str| (0..400).map(|depth| step.repeat(depth) + end).collect::<String>();
    let (stairs, rungs) = (steps("  ", "- a\n"), steps("> ", "a\n\n"));
    let columns = format!("{}\n{}\n{}", filled("|a"), filled("|-"), "b\n".repeat(SIZE / 2));
    let label = format!("|{}|b|\n|-|-|\n{}", "a".repeat(SIZE / 2), "|c|d\n".repeat(SIZE / 10));
    let sparse = format!("|{}|\n|-|\n{}", "a".repeat(60), "c\n".repeat(SIZE / 2));
    let reference = format!("[x]: {}\n\n{}", "x".repeat(SIZE / 2), "[x]\n".repeat(SIZE / 8));
    let address = format!("[{}](https://a.b/{})", "a ".repeat(SIZE / 4), "c".repeat(1_400));
    let inputs: Vec<String> = UNITS
        .iter()
        .map(|unit| filled(unit))
        .chain([
            both("*", "*"),
            both("[", "]"),
            both("![", "](a)"),
            both("_", "_"),
            both("`", "`"),
            both("(", ")"),
        ])
        .chain([stairs, rungs, columns, label, sparse, reference, address])
        .collect();
    let work = move || inputs.iter().for_each(|input| check(input));
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap();
}

fn check(input: &str) {
    let start: String = input.chars().take(20).collect();
    let time = || {
        let before = Instant::now();
        render(input, LIMIT);
        before.elapsed()
    };
    // Retries, because the machine may be busy for a while.
    assert!((0..3).any(|_| time() < SLOW), "{start:?} takes too long");
    let pieces = render(input, LIMIT);
    let size: usize = pieces.iter().map(|piece| piece.html.len()).sum();
    assert!(size < 40 * SIZE, "{start:?} became {size} bytes");
    for piece in pieces {
        let message = grammar::parse(&piece.html).unwrap();
        assert_eq!(message.text, piece.text);
        assert!(piece.text.encode_utf16().count() <= LIMIT);
    }
}
