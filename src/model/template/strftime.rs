/// A calendar day. Templates that print "today" get the run's day, never the clock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl Day {
    /// Reads `2026-11-20`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let year = parts.next()?.parse().ok()?;
        let month = parts.next()?.parse().ok()?;
        let day = parts.next()?.parse().ok()?;
        let found = Self { year, month, day };
        ((1..=12).contains(&month) && day >= 1 && day <= found.days_in_month()).then_some(found)
    }

    fn leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in_month(self) -> u32 {
        match self.month {
            2 => 28 + u32::from(self.leap()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// 1 to 366.
    fn day_of_year(self) -> u32 {
        (1..self.month)
            .map(|month| Self { month, ..self }.days_in_month())
            .sum::<u32>()
            + self.day
    }

    /// 0 is Sunday. Days since a Sunday, counted in whole years of the proleptic Gregorian calendar.
    fn weekday(self) -> usize {
        let before = self.year - 1;
        let days =
            before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
        usize::try_from((days + self.day_of_year().cast_signed()).rem_euclid(7))
            .expect("a remainder of 7 is small")
    }

    /// The day in C's `strftime` notation, at midnight UTC, with the names of the C locale. An unknown directive is
    /// kept as it stands.
    #[must_use]
    pub fn strftime(self, format: &str) -> String {
        let mut out = String::with_capacity(format.len() + 8);
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let bare = chars.next_if_eq(&'-').is_some();
            let Some(directive) = chars.next() else {
                out.push('%');
                break;
            };
            let number = |value: u32, width: usize| {
                if bare {
                    value.to_string()
                } else {
                    format!("{value:0width$}")
                }
            };
            let month = usize::try_from(self.month - 1).expect("a month is small");
            match directive {
                'Y' => out.push_str(&self.year.to_string()),
                'y' => out.push_str(&number(self.year.rem_euclid(100).cast_unsigned(), 2)),
                'm' => out.push_str(&number(self.month, 2)),
                'd' => out.push_str(&number(self.day, 2)),
                'e' => out.push_str(&format_day(self.day)),
                'j' => out.push_str(&number(self.day_of_year(), 3)),
                'B' => out.push_str(MONTHS[month]),
                'b' | 'h' => out.push_str(&MONTHS[month][..3]),
                'A' => out.push_str(WEEKDAYS[self.weekday()]),
                'a' => out.push_str(&WEEKDAYS[self.weekday()][..3]),
                'w' => out.push_str(&self.weekday().to_string()),
                'H' | 'M' | 'S' => out.push_str(&number(0, 2)),
                'I' => out.push_str(&number(12, 2)),
                'p' => out.push_str("AM"),
                'f' => out.push_str("000000"),
                'Z' => out.push_str("UTC"),
                'z' => out.push_str("+0000"),
                'F' => out.push_str(&self.strftime("%Y-%m-%d")),
                'D' | 'x' => out.push_str(&self.strftime("%m/%d/%y")),
                'T' | 'X' => out.push_str("00:00:00"),
                'R' => out.push_str("00:00"),
                'c' => out.push_str(&self.strftime("%a %b %e 00:00:00 %Y")),
                '%' => out.push('%'),
                other => {
                    out.push('%');
                    if bare {
                        out.push('-');
                    }
                    out.push(other);
                }
            }
        }
        out
    }
}

/// Two places, a space in front.
fn format_day(day: u32) -> String {
    format!("{day:2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_print_as_c_would() {
        let day = Day::parse("2026-11-20").unwrap();
        assert_eq!(
            day.strftime("%B %d, %Y|%d %b %Y|%A %a|%j|%-d/%-m|%e|%%|%q"),
            "November 20, 2026|20 Nov 2026|Friday Fri|324|20/11|20|%|%q"
        );
        let day = Day::parse("2024-02-29").unwrap();
        assert_eq!(day.strftime("%A %e %y %-j"), "Thursday 29 24 60");
        assert_eq!(
            Day::parse("2000-01-01")
                .unwrap()
                .strftime("%A %d %-d %H:%M"),
            "Saturday 01 1 00:00"
        );
        for wrong in [
            "2023-02-29",
            "2023-13-01",
            "2023-00-01",
            "2023-1",
            "x",
            "2023-04-31",
        ] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }
}
