//! Properties of characters: width, visibility, and combination with the character before.

/// The joiner, which combines emoji into one.
const JOINER: char = '\u{200d}';

/// Returns whether Telegram shows this character. It refuses a message without a visible character.
///
/// The invisible ones are `TDLib`'s list (`strip_empty_characters`, and the characters that `clean_input_string`
/// removes or replaces by a space), and all white space.
pub(super) fn is_visible(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && !matches!(
            character,
            '\u{30a}' | '\u{333}' | '\u{33f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2800}' | '\u{feff}' | '\u{fffc}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Returns whether a text may be cut at this byte, which is between two characters.
pub(super) fn is_cut(text: &str, at: usize) -> bool {
    let Some((before, after)) = text.split_at_checked(at) else { return false };
    let (Some(last), Some(next)) = (before.chars().next_back(), after.chars().next()) else { return true };
    if last == JOINER || clings(next) {
        return false;
    }
    // Two halves make a flag: the next half begins a new flag if an even number of halves is before it.
    !is_half_of_flag(next) || before.chars().rev().take_while(|c| is_half_of_flag(*c)).count() % 2 == 0
}

/// Returns whether the character belongs to the one before it. This uses the standard library's `escape_debug`, which
/// escapes a character that extends the one before it, or does not show by itself.
fn clings(character: char) -> bool {
    !character.is_ascii()
        && (matches!(character, '\u{1f3fb}'..='\u{1f3ff}') || character.escape_debug().len() > 1)
}

fn is_half_of_flag(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Returns the approximate width of a text in a monospaced font, in columns: East Asian characters and emoji have two,
/// characters that combine with another one have none.
pub(super) fn width(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '\u{1100}'..='\u{115f}'
            | '\u{231a}'..='\u{231b}'
            | '\u{23e9}'..='\u{23f3}'
            | '\u{26a1}'
            | '\u{26d4}'
            | '\u{2705}'
            | '\u{274c}'
            | '\u{274e}'
            | '\u{2753}'..='\u{2757}'
            | '\u{2795}'..='\u{2797}'
            | '\u{2b1b}'..='\u{2b1c}'
            | '\u{2b50}'
            | '\u{2b55}'
            | '\u{2e80}'..='\u{303e}'
            | '\u{3041}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1f3fa}'
            | '\u{1f400}'..='\u{1f64f}'
            | '\u{1f680}'..='\u{1f6ff}'
            | '\u{1f7e0}'..='\u{1f7eb}'
            | '\u{1f900}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}' => 2,
            character => usize::from(!clings(character)),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_whole_with_all_that_clings_to_it() {
        for (whole, characters) in [
            ("e\u{301}", 1),
            ("ab", 2),
            ("क\u{94d}", 1),
            ("👍🏽", 1),
            ("👨\u{200d}👩\u{200d}👧", 1),
            ("❤\u{fe0f}", 1),
            ("1\u{fe0f}\u{20e3}", 1),
            ("🇩🇪", 1),
            ("🇩🇪🇫🇷", 2),
            ("a🇩🇪🇫🇷🇮", 4),
            ("漢字", 2),
        ] {
            let cuts = whole.char_indices().skip(1).filter(|(at, _)| is_cut(whole, *at)).count();
            assert_eq!(cuts + 1, characters, "{whole:?}");
        }
    }

    #[test]
    fn columns_are_counted_as_a_monospaced_font_has_them() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("é", 1),
            ("e\u{301}", 1),
            ("漢字", 4),
            ("한", 2),
            ("✅ 👍🏽", 5),
            ("❤\u{fe0f}", 1),
            ("שלום", 4),
        ] {
            assert_eq!(width(text), columns, "{text:?}");
        }
    }

    #[test]
    fn what_telegram_takes_for_nothing_is_invisible() {
        assert!("a.é漢🙂\u{301}\u{fffd}".chars().all(is_visible));
        assert!(
            !" \n\t\r\0\u{7f}\u{a0}\u{3000}\u{200b}\u{200d}\u{202e}\u{feff}\u{2800}\u{e0041}"
                .chars()
                .any(is_visible)
        );
    }
}
