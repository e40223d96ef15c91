use std::ops::Range;

/// A word as guards compare them: its letters and digits in lower case, hashed; the lowest bit says whether it has digits.
pub(super) type Word = u64;

/// A text, read once for every guard that looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utterance {
    text: String,
    words: Vec<Word>,
    /// Without those that carry digits: ids, prices, dates are repeated for good reasons.
    wordy: Vec<Word>,
    /// Words and wordy ones in the order of their values.
    sorted: Vec<Word>,
    sorted_wordy: Vec<Word>,
    sentences: Vec<Sentence>,
    /// The words of all sentences, which end at every full stop, also within a number.
    of_sentences: Vec<Word>,
}

/// A stretch between full stops, question marks, exclamation marks and line ends that has words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sentence {
    /// Places among the words of all sentences.
    words: Range<usize>,
    /// Bytes of the text.
    bytes: Range<usize>,
    asks: bool,
}

impl Utterance {
    /// Reads a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut words = Vec::with_capacity(text.len() / 5 + 1);
        each_word(text, |word| words.push(word));
        let wordy: Vec<Word> = words.iter().copied().filter(|w| !has_digit(*w)).collect();
        let (mut sorted, mut sorted_wordy) = (words.clone(), wordy.clone());
        sorted.sort_unstable();
        sorted_wordy.sort_unstable();
        let (mut sentences, mut of_sentences) = (Vec::new(), Vec::with_capacity(words.len()));
        for part in text.split_inclusive(SENTENCE_ENDS) {
            let from = of_sentences.len();
            each_word(part, |word| of_sentences.push(word));
            if of_sentences.len() > from {
                let at = part.as_ptr().addr() - text.as_ptr().addr();
                sentences.push(Sentence {
                    words: from..of_sentences.len(),
                    bytes: at..at + part.len(),
                    asks: part.ends_with('?'),
                });
            }
        }
        Self {
            text: text.to_owned(),
            words,
            wordy,
            sorted,
            sorted_wordy,
            sentences,
            of_sentences,
        }
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn words(&self) -> &[Word] {
        &self.words
    }

    pub(super) fn wordy(&self) -> &[Word] {
        &self.wordy
    }

    /// The words with digits, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Word> {
        self.words.iter().copied().filter(|word| has_digit(*word))
    }

    /// How many words two texts have in common, wherever they stand; no run or sequence in common is longer.
    pub(super) fn met(&self, other: &Self) -> usize {
        common(&self.sorted, &other.sorted)
    }

    /// The same of the words without digits.
    pub(super) fn met_wordy(&self, other: &Self) -> usize {
        common(&self.sorted_wordy, &other.sorted_wordy)
    }

    /// The words of each sentence.
    pub(super) fn sentences(&self) -> impl ExactSizeIterator<Item = &[Word]> {
        self.sentences
            .iter()
            .map(|sentence| &self.of_sentences[sentence.words.clone()])
    }

    /// The words of each sentence that asks.
    pub(super) fn questions(&self) -> impl Iterator<Item = &[Word]> {
        self.sentences
            .iter()
            .filter(|sentence| sentence.asks)
            .map(|sentence| &self.of_sentences[sentence.words.clone()])
    }

    /// A sentence as it stands in the text.
    pub(super) fn sentence(&self, index: usize) -> &str {
        &self.text[self.sentences[index].bytes.clone()]
    }
}

impl From<String> for Utterance {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Utterance {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// What ends a sentence here.
const SENTENCE_ENDS: [char; 4] = ['.', '!', '?', '\n'];

pub(super) fn has_digit(word: Word) -> bool {
    word & 1 == 1
}

/// The words of a text as they are compared.
pub(super) fn words_of(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word));
    words
}

/// Gives each word of a text: what stands between white space, dashes and slashes, without punctuation and apostrophes. What
/// has a digit is not taken apart at dashes: an order id is one word.
fn each_word(text: &str, mut give: impl FnMut(Word)) {
    for chunk in text.split_whitespace() {
        if chunk.bytes().any(|byte| byte.is_ascii_digit()) {
            give_word(chunk, &mut give);
        } else {
            chunk
                .split(['-', '/', '…', '—', '–'])
                .for_each(|part| give_word(part, &mut give));
        }
    }
}

fn give_word(part: &str, give: &mut impl FnMut(Word)) {
    // FNV-1a (Fowler, Noll, Vo), then the finaliser of splitmix64 (Steele, Lea, Flood 2014).
    let (mut hash, mut some, mut digit) = (0xcbf2_9ce4_8422_2325_u64, false, false);
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for c in part.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                some = true;
                digit |= c.is_ascii_digit();
                add(c.to_ascii_lowercase() as u8);
            }
        } else if c.is_alphanumeric() {
            some = true;
            let mut buffer = [0; 4];
            for c in c.to_lowercase() {
                c.encode_utf8(&mut buffer).bytes().for_each(&mut add);
            }
        }
    }
    if some {
        give(mixed(hash) & !1 | u64::from(digit));
    }
}

fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Words that two lists in order have in common.
fn common(a: &[Word], b: &[Word]) -> usize {
    let (mut a, mut b) = (a, b);
    let mut count = 0;
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => a = &a[1..],
            std::cmp::Ordering::Greater => b = &b[1..],
            std::cmp::Ordering::Equal => {
                count += 1;
                (a, b) = (&a[1..], &b[1..]);
            }
        }
    }
    count
}

/// Words in a row as one value.
pub(super) fn row(words: &[Word]) -> u64 {
    mixed(words.iter().fold(words.len() as u64, |hash, word| {
        (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }))
}

/// Whether some words in a row are these.
pub(super) fn says(words: &[Word], phrase: &[Word]) -> bool {
    !phrase.is_empty() && words.windows(phrase.len()).any(|window| window == phrase)
}

/// A list of phrases, found in a text in one go.
#[derive(Debug)]
pub(super) struct Phrases {
    list: &'static [&'static str],
    /// In the order of their first words.
    words: Vec<(Vec<Word>, usize)>,
}

impl Phrases {
    pub(super) fn new(list: &'static [&'static str]) -> Self {
        let mut words: Vec<(Vec<Word>, usize)> = list
            .iter()
            .map(|phrase| words_of(phrase))
            .zip(0..)
            .collect();
        assert!(
            words.iter().all(|(words, _)| !words.is_empty()),
            "a phrase has words"
        );
        words.sort_unstable();
        Self { list, words }
    }

    /// The first of the list that stands somewhere in the words.
    pub(super) fn find(&self, words: &[Word]) -> Option<&'static str> {
        let mut first = None;
        for at in 0..words.len() {
            for index in self.at(&words[at..]) {
                first = Some(first.map_or(index, |first: usize| first.min(index)));
            }
        }
        first.map(|index| self.list[index])
    }

    /// The first of the list that the words begin with.
    pub(super) fn begins(&self, words: &[Word]) -> Option<&'static str> {
        self.at(words).min().map(|index| self.list[index])
    }

    /// Whether the words are one of the list.
    pub(super) fn is(&self, words: &[Word]) -> bool {
        self.words
            .binary_search_by(|(phrase, _)| phrase.as_slice().cmp(words))
            .is_ok()
    }

    fn at(&self, words: &[Word]) -> impl Iterator<Item = usize> {
        let first = words.first().copied();
        let from = first.map_or(self.words.len(), |first| {
            self.words.partition_point(|(phrase, _)| phrase[0] < first)
        });
        self.words[from..]
            .iter()
            .take_while(move |(phrase, _)| Some(phrase[0]) == first)
            .filter(|(phrase, _)| words.starts_with(phrase))
            .map(|(_, index)| *index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_two_texts_can_share() {
        let read = Utterance::new("It's £239, order LK-48213 - well-known!");
        assert_eq!(read.words(), words_of("its 239 order lk48213 WELL known"));
        assert_eq!(read.wordy(), words_of("its order well known"));
        assert!(read.numbers().eq(words_of("239 lk48213")));
        assert_eq!(words_of("ÄRGER naïve"), words_of("ärger NAÏVE"));
        assert_ne!(words_of("naive"), words_of("naïve"));
        assert!(words_of("… - ?!").is_empty());
    }

    #[test]
    fn sentences_end_at_marks() {
        let read = Utterance::new("It is 3.50. Is it?\nYes, it is… ?");
        let sentences: Vec<Vec<Word>> = read.sentences().map(<[Word]>::to_vec).collect();
        let expected = ["it is 3", "50", "is it", "yes it is"].map(words_of);
        assert_eq!(sentences, expected);
        let questions: Vec<&[Word]> = read.questions().collect();
        assert_eq!(questions, [words_of("is it"), words_of("yes it is")]);
        assert_eq!(read.sentence(2), " Is it?");
    }

    #[test]
    fn common_words_bound_what_runs_can_have() {
        let (a, b) = (Utterance::new("a b b c 4"), Utterance::new("b 4 d b a"));
        assert_eq!((a.met(&b), b.met(&a), a.met_wordy(&b)), (4, 4, 3));
        assert_eq!(a.met(&Utterance::new("")), 0);
    }

    #[test]
    fn phrases_are_found_word_by_word() {
        let phrases = Phrases::new(&["i am", "as an ai", "i am an"]);
        assert_eq!(phrases.find(&words_of("So I am an owl")), Some("i am"));
        assert_eq!(phrases.find(&words_of("as an aim")), None);
        assert_eq!(phrases.find(&words_of("as, an AI")), Some("as an ai"));
        assert_eq!(phrases.begins(&words_of("So I am")), None);
        assert_eq!(phrases.begins(&words_of("I am")), Some("i am"));
        assert!(phrases.is(&words_of("As an AI.")) && !phrases.is(&words_of("as an")));
        assert!(
            says(&words_of("a b c"), &words_of("b c")) && !says(&words_of("a"), &words_of("a b"))
        );
    }
}
