//! The inside of a tag, read expression by expression and written again in minijinja's terms.

use super::lexer::{Kind, Token, quoted};
use super::source::{ADD, BUILT, CONCAT, MODULO, MULTIPLY, SLICE, WEIGH};

/// Expressions deeper than this are refused; minijinja's own limit is 150.
const DEEPEST: usize = 100;
/// The inside of a tag.
pub(super) struct Tag<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

type Written = Result<String, String>;

impl<'a> Tag<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next_is(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.is(text))
    }

    fn skip(&mut self, text: &str) -> bool {
        let found = self.next_is(text);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.skip(text) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(token) => format!("expected `{text}`, found `{}`", token.text),
            None => format!("expected `{text}`, found the end of the tag"),
        })
    }

    fn take(&mut self) -> Result<&Token, String> {
        let token = self
            .tokens
            .get(self.at)
            .ok_or("expected an expression, found the end of the tag")?;
        self.at += 1;
        Ok(token)
    }

    fn name(&mut self) -> Written {
        let token = self.take()?;
        if token.kind == Kind::Name {
            Ok(token.text.clone())
        } else {
            Err(format!("expected a name, found `{}`", token.text))
        }
    }

    /// The rest as it stands.
    fn rest(&mut self) -> String {
        let rest: Vec<_> = self.tokens[self.at..].iter().map(Token::written).collect();
        self.at = self.tokens.len();
        rest.join(" ")
    }

    /// Everything before a token of the tag's own level, as it stands.
    fn until(&mut self, stops: &[&str]) -> String {
        let mut depth = 0usize;
        let mut out = Vec::new();
        while let Some(token) = self.peek() {
            if depth == 0 && stops.iter().any(|stop| token.is(stop)) {
                break;
            }
            match token.text.as_str() {
                "(" | "[" | "{" if token.kind == Kind::Sign => depth += 1,
                ")" | "]" | "}" if token.kind == Kind::Sign => depth = depth.saturating_sub(1),
                _ => {}
            }
            out.push(token.written());
            self.at += 1;
        }
        out.join(" ")
    }

    pub(super) fn statement(&mut self) -> Written {
        let word = self.name()?;
        match word.as_str() {
            "if" | "elif" => Ok(format!("{word} {}", self.list()?)),
            "for" => {
                let targets = self.until(&["in"]);
                self.expect("in")?;
                let mut written = format!("for {targets} in {}", self.without_condition()?);
                if self.skip("if") {
                    written = format!("{written} if {}", self.without_condition()?);
                }
                if self.skip("recursive") {
                    written.push_str(" recursive");
                }
                Ok(written)
            }
            "set" => {
                let target = self.until(&["=", "|"]);
                if self.skip("=") {
                    return Ok(format!("set {target} = {}", self.list()?));
                }
                Ok(format!("set {target} {}", self.rest()))
            }
            "with" => {
                let mut parts = Vec::new();
                while self.peek().is_some() {
                    let target = self.until(&["="]);
                    self.expect("=")?;
                    parts.push(format!("{target} = {}", self.expression()?));
                    if !self.skip(",") {
                        break;
                    }
                }
                Ok(format!("with {}", parts.join(", ")))
            }
            "macro" | "call" => {
                // `macro name(a, b=default)`, `call(a) name(x)`
                let mut written = word.clone();
                if word == "macro" {
                    written = format!("{word} {}", self.name()?);
                }
                if self.next_is("(") {
                    written.push_str(&self.parameters()?);
                }
                if word == "call" {
                    written = format!("{written} {}", self.expression()?);
                }
                Ok(written)
            }
            // Training templates mark replies with it; for rendering it is a scope and nothing else.
            "generation" => Ok("with".to_owned()),
            "endgeneration" => Ok("endwith".to_owned()),
            _ => Ok(format!("{word} {}", self.rest())),
        }
    }

    fn parameters(&mut self) -> Written {
        self.expect("(")?;
        let mut parts = Vec::new();
        while !self.skip(")") {
            let name = self.name()?;
            parts.push(if self.skip("=") {
                format!("{name}={}", self.expression()?)
            } else {
                name
            });
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(format!("({})", parts.join(", ")))
    }

    /// One expression, or several as a tuple without parentheses.
    pub(super) fn list(&mut self) -> Written {
        let first = self.expression()?;
        if !self.next_is(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip(",") && self.peek().is_some() {
            items.push(self.expression()?);
        }
        Ok(built(&format!("({},)", items.join(", "))))
    }

    fn expression(&mut self) -> Written {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("expressions lie too deep in each other".to_owned());
        }
        let mut written = self.without_condition()?;
        while self.skip("if") {
            written = format!("{written} if {}", self.without_condition()?);
            if self.skip("else") {
                written = format!("{written} else {}", self.expression()?);
            }
        }
        self.depth -= 1;
        Ok(written)
    }

    fn without_condition(&mut self) -> Written {
        let mut written = self.conjunction()?;
        while self.skip("or") {
            written = format!("{written} or {}", self.conjunction()?);
        }
        Ok(written)
    }

    fn conjunction(&mut self) -> Written {
        let mut written = self.negation()?;
        while self.skip("and") {
            written = format!("{written} and {}", self.negation()?);
        }
        Ok(written)
    }

    fn negation(&mut self) -> Written {
        let mut nots = 0usize;
        while self.skip("not") {
            nots += 1;
        }
        // Two make a truth value of anything; more than that say nothing new.
        let nots = match nots {
            0 => "",
            n if n % 2 == 1 => "not ",
            _ => "not not ",
        };
        Ok(format!("{nots}{}", self.comparison()?))
    }

    fn comparison(&mut self) -> Written {
        let mut written = self.sum()?;
        loop {
            let operator = match self.peek().map(|token| token.text.as_str()) {
                Some(sign @ ("==" | "!=" | "<" | ">" | "<=" | ">=")) => sign.to_owned(),
                Some("in") if self.next_is("in") => "in".to_owned(),
                Some("not") if self.tokens.get(self.at + 1).is_some_and(|t| t.is("in")) => {
                    self.at += 1;
                    "not in".to_owned()
                }
                _ => return Ok(written),
            };
            self.at += 1;
            written = format!("{written} {operator} {}", self.sum()?);
        }
    }

    fn sum(&mut self) -> Written {
        let mut terms = vec![self.concatenation()?];
        loop {
            if self.skip("+") {
                terms.push(self.concatenation()?);
            } else if self.skip("-") {
                let before = call(ADD, terms);
                terms = vec![format!("{before} - {}", self.concatenation()?)];
            } else {
                return Ok(call(ADD, terms));
            }
        }
    }

    fn concatenation(&mut self) -> Written {
        let mut parts = vec![self.product()?];
        while self.skip("~") {
            parts.push(self.product()?);
        }
        Ok(call(CONCAT, parts))
    }

    fn product(&mut self) -> Written {
        let mut written = self.power()?;
        loop {
            written = if self.skip("*") {
                call(MULTIPLY, vec![written, self.power()?])
            } else if self.skip("%") {
                call(MODULO, vec![written, self.power()?])
            } else if self.skip("//") {
                format!("{written} // {}", self.power()?)
            } else if self.skip("/") {
                format!("{written} / {}", self.power()?)
            } else {
                return Ok(written);
            };
        }
    }

    fn power(&mut self) -> Written {
        let mut written = self.operand(true)?;
        while self.skip("**") {
            written = format!("{written} ** {}", self.operand(true)?);
        }
        Ok(written)
    }

    /// A value with its signs, attributes, calls and, where wanted, filters and tests.
    fn operand(&mut self, filters: bool) -> Written {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("expressions lie too deep in each other".to_owned());
        }
        let written = if self.skip("-") {
            format!("-{}", self.operand(false)?)
        } else if self.skip("+") {
            self.operand(false)?
        } else {
            let primary = self.primary()?;
            self.postfix(primary)?
        };
        self.depth -= 1;
        if filters {
            self.filters(written)
        } else {
            Ok(written)
        }
    }

    fn primary(&mut self) -> Written {
        let token = self.take()?;
        match (token.kind, token.text.as_str()) {
            (Kind::Name | Kind::Number, text) => Ok(text.to_owned()),
            (Kind::Text, _) => {
                let mut text = token.text.clone();
                while let Some(more) = self.peek().filter(|token| token.kind == Kind::Text) {
                    text.push_str(&more.text.clone());
                    self.at += 1;
                }
                Ok(quoted(&text))
            }
            (Kind::Sign, "(") => {
                let (items, tuple) = self.items(")")?;
                let items = items.join(", ");
                Ok(match tuple {
                    false => format!("({items})"),
                    true if items.is_empty() => "()".to_owned(),
                    true => built(&format!("({items},)")),
                })
            }
            (Kind::Sign, "[") => {
                let (items, _) = self.items("]")?;
                Ok(built(&format!("[{}]", items.join(", "))))
            }
            (Kind::Sign, "{") => {
                let mut entries = Vec::new();
                while !self.skip("}") {
                    let key = self.expression()?;
                    self.expect(":")?;
                    entries.push(format!("{key}: {}", self.expression()?));
                    if !self.skip(",") {
                        self.expect("}")?;
                        break;
                    }
                }
                Ok(built(&format!("{{{}}}", entries.join(", "))))
            }
            (Kind::Sign, text) => Err(format!("expected an expression, found `{text}`")),
        }
    }

    /// Expressions up to a closing bracket, and whether there was a comma, or nothing at all.
    fn items(&mut self, close: &str) -> Result<(Vec<String>, bool), String> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.skip(close) {
            items.push(self.expression()?);
            if !self.skip(",") {
                self.expect(close)?;
                break;
            }
            comma = true;
        }
        let tuple = comma || items.is_empty();
        Ok((items, tuple))
    }

    fn postfix(&mut self, mut written: String) -> Written {
        loop {
            if self.skip(".") {
                let token = self.take()?;
                written = match token.kind {
                    Kind::Name | Kind::Number => format!("{written}.{}", token.text),
                    _ => return Err(format!("expected a name, found `{}`", token.text)),
                };
            } else if self.skip("[") {
                let mut parts = vec![String::new()];
                while !self.skip("]") {
                    if self.skip(":") {
                        parts.push(String::new());
                    } else if parts.last().is_some_and(String::is_empty) {
                        parts.pop();
                        parts.push(self.list()?);
                    } else {
                        self.expect("]")?;
                        break;
                    }
                }
                written = match &parts[..] {
                    // minijinja loses the first element where a step goes backwards
                    [start, stop, step] if !step.is_empty() => {
                        let or_none = |part: &str| match part {
                            "" => "none".to_owned(),
                            part => part.to_owned(),
                        };
                        let [start, stop] = [start, stop].map(|part| or_none(part));
                        format!("{SLICE}({written}, {start}, {stop}, {step})")
                    }
                    _ => format!("{written}[{}]", parts.join(":")),
                };
            } else if self.next_is("(") {
                written = format!("{written}{}", self.arguments()?);
            } else {
                return Ok(written);
            }
        }
    }

    fn arguments(&mut self) -> Written {
        self.expect("(")?;
        let mut parts = Vec::new();
        while !self.skip(")") {
            let keyword = self.peek().filter(|token| token.kind == Kind::Name);
            let star = ["**", "*"].into_iter().find(|star| self.next_is(star));
            parts.push(match (keyword.map(|token| token.text.clone()), star) {
                (Some(name), _) if self.tokens.get(self.at + 1).is_some_and(|t| t.is("=")) => {
                    self.at += 2;
                    format!("{name}={}", self.expression()?)
                }
                (_, Some(star)) => {
                    self.at += 1;
                    format!("{star}{}", self.expression()?)
                }
                _ => self.expression()?,
            });
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(format!("({})", parts.join(", ")))
    }

    fn filters(&mut self, mut written: String) -> Written {
        loop {
            if self.skip("|") {
                let name = self.dotted()?;
                let arguments = if self.next_is("(") {
                    self.arguments()?
                } else {
                    String::new()
                };
                // `default` and its kin must see what is undefined as it is; weighing lets it pass.
                written = format!("{written}|{WEIGH}|{name}{arguments}");
            } else if self.skip("is") {
                let not = if self.skip("not") { "not " } else { "" };
                let name = self.dotted()?;
                let arguments = if self.next_is("(") {
                    self.arguments()?
                } else if self.begins_test_argument() {
                    let primary = self.primary()?;
                    format!("({})", self.postfix(primary)?)
                } else {
                    String::new()
                };
                written = format!("{written} is {not}{name}{arguments}");
            } else if self.next_is("(") {
                written = format!("({written}){}", self.arguments()?);
            } else {
                return Ok(written);
            }
        }
    }

    fn begins_test_argument(&self) -> bool {
        self.peek().is_some_and(|token| match token.kind {
            Kind::Name => !matches!(
                token.text.as_str(),
                "and" | "or" | "else" | "is" | "if" | "not" | "in" | "recursive"
            ),
            Kind::Text | Kind::Number => true,
            Kind::Sign => matches!(token.text.as_str(), "[" | "{"),
        })
    }

    fn dotted(&mut self) -> Written {
        let mut name = self.name()?;
        while self.skip(".") {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }
}

/// An operator's operands as a call; one alone stands for itself.
fn call(function: &str, mut operands: Vec<String>) -> String {
    if operands.len() == 1
        && let Some(only) = operands.pop()
    {
        return only;
    }
    format!("{function}({})", operands.join(", "))
}

fn built(literal: &str) -> String {
    format!("({literal}|{BUILT})")
}
