//! Splits a command line into words, with the quoting of virsh's own language.
//!
//! It is close to a shell's but not the same: `;` and newlines separate commands, `#` at the start
//! of a word begins a comment, and nothing is ever expanded.

use std::iter::Peekable;
use std::str::Chars;

/// Splits `text` into commands of words each; commands without words are left out.
pub(crate) fn split(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut commands = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        match c {
            ' ' | '\t' => {
                rest.next();
            }
            ';' | '\n' => {
                rest.next();
                commands.push(std::mem::take(&mut words));
            }
            '#' => while rest.next_if(|&c| c != '\n').is_some() {},
            // An escaped line end between words is white space, not an empty word.
            '\\' if is_line_continuation(&rest) => {
                rest.next();
                rest.next();
            }
            _ => words.push(word(&mut rest)?),
        }
    }
    commands.push(words);
    commands.retain(|words| !words.is_empty());
    Ok(commands)
}

fn is_line_continuation(rest: &Peekable<Chars<'_>>) -> bool {
    let mut ahead = rest.clone();
    ahead.next();
    ahead.next() == Some('\n')
}

/// Reads one word. A missing `'` at the end is forgiven, a missing `"` is not: so it is in virsh.
fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut out = String::new();
    let mut quote = None;
    while let Some(&c) = rest.peek() {
        if quote.is_none() && matches!(c, ' ' | '\t' | ';' | '\n') {
            break;
        }
        rest.next();
        match (c, quote) {
            ('\'', None) => quote = Some('\''),
            ('\'', Some('\'')) => quote = None,
            ('"', None) => quote = Some('"'),
            ('"', Some('"')) => quote = None,
            ('\\', None | Some('"')) => match rest.next() {
                None => return Err("dangling \\".to_owned()),
                Some('\n') => {}
                Some(escaped) => out.push(escaped),
            },
            _ => out.push(c),
        }
    }
    if quote == Some('"') {
        return Err("missing \"".to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::split;

    fn words(text: &str) -> Vec<Vec<String>> {
        split(text).unwrap()
    }

    #[test]
    fn commands_end_at_semicolons_and_lines() {
        assert_eq!(
            words("list --all;;uri\npwd # note ; quit"),
            [vec!["list", "--all"], vec!["uri"], vec!["pwd"]]
        );
        assert!(words(" ; # nothing").is_empty());
    }

    #[test]
    fn quotes_join_and_protect() {
        assert_eq!(
            words(r#"echo "a  b" 'c;d' e\ f 'x'"y" '' a#b"#),
            [vec!["echo", "a  b", "c;d", "e f", "xy", "", "a#b"]]
        );
        assert_eq!(words(r#"echo 'a\b' "a\"b" "it's""#), [vec!["echo", "a\\b", "a\"b", "it's"]]);
        assert_eq!(words("list \\\n --all"), [vec!["list", "--all"]]);
    }

    #[test]
    fn ends_that_are_missing() {
        assert_eq!(split("list \"a").unwrap_err(), "missing \"");
        assert_eq!(split("list \\").unwrap_err(), "dangling \\");
        assert_eq!(words("list 'a"), [vec!["list", "a"]]);
    }
}
