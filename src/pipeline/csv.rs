//! Comma-separated values as RFC 4180 has them: quotes around fields, doubled quotes inside, line ends of any kind.

/// A record and the line it begins on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) fields: Vec<String>,
}

/// Where and how a file leaves the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CsvError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) what: &'static str,
}

/// The rows of a file; lines without any text are left out.
pub(super) fn read(text: &str) -> Result<Vec<Row>, CsvError> {
    let mut rows = Vec::new();
    let mut reader = Reader {
        letters: text.chars().peekable(),
        line: 1,
        column: 0,
    };
    while reader.letters.peek().is_some() {
        let row = reader.row()?;
        if row.fields.iter().any(|field| !field.trim().is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

struct Reader<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.letters.next()?;
        self.column += 1;
        if letter == '\n' {
            (self.line, self.column) = (self.line + 1, 0);
        }
        Some(letter)
    }

    fn row(&mut self) -> Result<Row, CsvError> {
        let mut row = Row {
            line: self.line,
            fields: Vec::new(),
        };
        loop {
            let field = if self.letters.peek() == Some(&'"') {
                self.quoted()?
            } else {
                self.bare()?
            };
            row.fields.push(field);
            match self.next() {
                Some(',') => {}
                Some('\r') => {
                    if self.letters.peek() == Some(&'\n') {
                        self.next();
                    }
                    return Ok(row);
                }
                None | Some('\n') => return Ok(row),
                Some(_) => {
                    return Err(self.error(
                        "text after a closing quote; expected a comma or the end of the line",
                    ));
                }
            }
        }
    }

    fn bare(&mut self) -> Result<String, CsvError> {
        let mut field = String::new();
        while let Some(&letter) = self.letters.peek() {
            if matches!(letter, ',' | '\n' | '\r') {
                break;
            }
            if letter == '"' && field.trim().is_empty() {
                return Err(
                    self.error("a space before a quote; expected the quote right after the comma")
                );
            }
            field.extend(self.next());
        }
        Ok(field)
    }

    fn quoted(&mut self) -> Result<String, CsvError> {
        self.next();
        let opened = self.error("a quote that is never closed");
        let mut field = String::new();
        loop {
            match self.next() {
                None => return Err(opened),
                Some('"') if self.letters.peek() == Some(&'"') => field.extend(self.next()),
                Some('"') => return Ok(field),
                Some(letter) => field.push(letter),
            }
        }
    }

    fn error(&self, what: &'static str) -> CsvError {
        CsvError {
            line: self.line,
            column: self.column,
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        read(text)
            .unwrap()
            .into_iter()
            .map(|row| row.fields)
            .collect()
    }

    #[test]
    fn quotes_commas_and_line_ends() {
        assert_eq!(
            fields("a,b\r\n\"1, \"\"x\"\"\",\r\n\r\n\"two\nlines\",3"),
            [["a", "b"], ["1, \"x\"", ""], ["two\nlines", "3"]]
        );
        assert_eq!(fields("say \"hi\",b\n"), [["say \"hi\"", "b"]]);
        assert_eq!(fields("a\rb\n"), [["a"], ["b"]]);
        assert!(fields("\n\n").is_empty());
        assert_eq!(
            read("\na\n\"x\ny\"\nb")
                .unwrap()
                .iter()
                .map(|row| row.line)
                .collect::<Vec<_>>(),
            [2, 3, 5]
        );
    }

    #[test]
    fn broken_files_say_where() {
        assert_eq!(
            read("a,b\nc,\"d").unwrap_err(),
            CsvError {
                line: 2,
                column: 3,
                what: "a quote that is never closed"
            }
        );
        assert_eq!(read("\"a\"b").unwrap_err().column, 4);
        assert!(read("a, \"b\"").is_err());
    }
}
