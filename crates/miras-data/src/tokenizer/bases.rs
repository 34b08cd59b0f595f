//! Nucleotides as tokens: the codes of IUPAC, and the end of a sequence.

/// The setting that stands for nucleotides.
pub(crate) const BASES: &str = "bases";

/// What each token is written as, by its number: the end of a sequence, the four bases, and the
/// codes of IUPAC for one of several bases.
pub(super) const LETTERS: &[u8; 16] = b"\nACGTRYSWKMBDHVN";

/// The token of each byte; [`NONE`] for bytes that are no letter of a nucleotide.
const TOKENS: [i8; 256] = tokens();

/// In place of a token.
const NONE: i8 = -1;

const fn tokens() -> [i8; 256] {
    let mut tokens = [NONE; 256];
    let mut at = 0;
    while at < LETTERS.len() {
        tokens[LETTERS[at] as usize] = at as i8;
        tokens[LETTERS[at].to_ascii_lowercase() as usize] = at as i8;
        at += 1;
    }
    // RNA has U where DNA has T.
    tokens[b'U' as usize] = tokens[b'T' as usize];
    tokens[b'u' as usize] = tokens[b'T' as usize];
    tokens
}

/// The token of a letter, upper or lower case; `None` if it is no code of a nucleotide.
pub(crate) fn token_of(letter: u8) -> Option<i32> {
    let token = TOKENS[letter as usize];
    (token != NONE).then(|| i32::from(token))
}

/// Whether a letter is one of the four bases, and not a code for several or the end of a sequence.
pub(crate) fn is_base(letter: u8) -> bool {
    token_of(letter).is_some_and(|token| (1..=4).contains(&token))
}

/// What is wrong with a letter that has no token, for a sentence that goes on behind it.
pub(crate) fn why_not(letter: u8) -> &'static str {
    match letter.to_ascii_uppercase() {
        b'-' | b'.' => "a gap of an alignment: take the gaps out",
        b'E' | b'F' | b'I' | b'J' | b'L' | b'O' | b'P' | b'Q' | b'X' | b'Z' | b'*' => {
            "which is no IUPAC code of a nucleotide (A C G T U R Y S W K M B D H V N) but one of \
             an amino acid: only DNA and RNA are read"
        }
        _ => "which is no IUPAC code of a nucleotide (A C G T U R Y S W K M B D H V N)",
    }
}

/// A byte in a message.
pub(crate) fn shown(letter: u8) -> String {
    if letter.is_ascii_graphic() {
        format!("`{}`", letter as char)
    } else if letter == b' ' {
        "a blank".to_owned()
    } else {
        format!("the byte 0x{letter:02X}")
    }
}

/// The tokens of sequences in lines; the place of the first letter that has none.
pub(super) fn encode(text: &[u8]) -> Result<Vec<i32>, usize> {
    let one = |(at, &letter): (usize, &u8)| token_of(letter).ok_or(at);
    text.iter().enumerate().map(one).collect()
}

/// What tokens are written as; a token that does not exist is skipped.
pub(super) fn decode(tokens: &[i32]) -> Vec<u8> {
    let letter = |&token: &i32| LETTERS.get(usize::try_from(token).ok()?).copied();
    tokens.iter().filter_map(letter).collect()
}
