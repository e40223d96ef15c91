use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
    UInt64Builder,
};
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use std::sync::Arc;

use super::Row;
use super::schema::{Column, Type};

/// Rows of a row group at most: what a reader decodes at once.
const GROUP_ROWS: usize = 20_000;
/// Bytes of a row group at most, encoded.
const GROUP_BYTES: usize = 64 << 20;
/// Rows and bytes of text that wait to be encoded.
const WAITING_ROWS: usize = 1024;
const WAITING_BYTES: usize = 8 << 20;

/// Rows on their way into a Parquet file: columns as declared, lists of structs for messages, zstd. What waits is bounded by
/// a row group.
pub(super) struct Table<W: Write + Send> {
    columns: Vec<Column>,
    waiting: StructBuilder,
    rows: usize,
    bytes: usize,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> Table<W> {
    /// Begins a file. `about` is its metadata.
    pub(super) fn new(out: W, columns: Vec<Column>, about: &[(&str, String)]) -> io::Result<Self> {
        let fields = fields(&columns);
        let about = about
            .iter()
            .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_key_value_metadata(Some(about.collect()))
            .build();
        let schema = Arc::new(arrow_schema::Schema::new(fields.clone()));
        Ok(Self {
            waiting: StructBuilder::from_fields(fields, 0),
            rows: 0,
            bytes: 0,
            writer: ArrowWriter::try_new(out, schema, Some(properties))
                .map_err(io::Error::other)?,
            columns,
        })
    }

    pub(super) fn put(&mut self, row: &Row) -> io::Result<()> {
        self.bytes += append_struct(&mut self.waiting, &self.columns, Some(row))?;
        self.rows += 1;
        if self.rows >= WAITING_ROWS || self.bytes >= WAITING_BYTES {
            self.encode()?;
        }
        Ok(())
    }

    fn encode(&mut self) -> io::Result<()> {
        let batch = RecordBatch::from(self.waiting.finish());
        (self.rows, self.bytes) = (0, 0);
        self.writer.write(&batch).map_err(as_io)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.encode()?;
        self.writer.into_inner().map_err(as_io)
    }
}

/// The error below, where it is the system's: a full disk has its own exit code.
fn as_io(error: parquet::errors::ParquetError) -> io::Error {
    match error {
        parquet::errors::ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}

fn fields(columns: &[Column]) -> Fields {
    columns
        .iter()
        .map(|column| Field::new(column.name, data_type(&column.kind), true))
        .collect()
}

fn data_type(kind: &Type) -> DataType {
    match kind {
        Type::Text => DataType::Utf8,
        Type::Flag => DataType::Boolean,
        Type::Whole => DataType::Int64,
        Type::Seed => DataType::UInt64,
        Type::List(of) => DataType::List(Arc::new(Field::new_list_field(data_type(of), true))),
        Type::Struct(columns) => DataType::Struct(fields(columns)),
    }
}

/// Adds a struct, or its absence; returns about how many bytes of text it holds.
fn append_struct(
    builder: &mut StructBuilder,
    columns: &[Column],
    row: Option<&Row>,
) -> io::Result<usize> {
    if let Some(row) = row
        && let Some(other) = row
            .keys()
            .find(|key| columns.iter().all(|column| column.name != key.as_str()))
    {
        return Err(mismatch(other, "is not declared"));
    }
    let mut bytes = 0;
    for (column, builder) in columns.iter().zip(builder.field_builders_mut()) {
        let value = row.and_then(|row| row.get(column.name));
        bytes += append(builder, column.name, &column.kind, value)?;
    }
    builder.append(row.is_some());
    Ok(bytes)
}

fn append(
    builder: &mut Box<dyn ArrayBuilder>,
    name: &str,
    kind: &Type,
    value: Option<&Value>,
) -> io::Result<usize> {
    let value = value.filter(|value| !value.is_null());
    let wrong = || mismatch(name, "holds something else than is declared");
    let any = builder.as_any_mut();
    match kind {
        Type::Text => {
            let text = value.map(|value| value.as_str().ok_or_else(wrong));
            let text = text.transpose()?;
            of::<StringBuilder>(any).append_option(text);
            Ok(text.map_or(0, str::len) + 8)
        }
        Type::Flag => {
            let flag = value.map(|value| value.as_bool().ok_or_else(wrong));
            of::<BooleanBuilder>(any).append_option(flag.transpose()?);
            Ok(1)
        }
        Type::Whole => {
            let whole = value.map(|value| value.as_i64().ok_or_else(wrong));
            of::<Int64Builder>(any).append_option(whole.transpose()?);
            Ok(8)
        }
        Type::Seed => {
            let seed = value.map(|value| value.as_u64().ok_or_else(wrong));
            of::<UInt64Builder>(any).append_option(seed.transpose()?);
            Ok(8)
        }
        Type::List(of_kind) => {
            let list = value.map(|value| value.as_array().ok_or_else(wrong));
            let list = list.transpose()?;
            let builder = of::<ListBuilder<Box<dyn ArrayBuilder>>>(any);
            let mut bytes = 4;
            for value in list.into_iter().flatten() {
                bytes += append(builder.values(), name, of_kind, Some(value))?;
            }
            builder.append(list.is_some());
            Ok(bytes)
        }
        Type::Struct(columns) => {
            let row = value.map(|value| value.as_object().ok_or_else(wrong));
            append_struct(of::<StructBuilder>(any), columns, row.transpose()?)
        }
    }
}

fn of<T: 'static>(builder: &mut dyn std::any::Any) -> &mut T {
    builder
        .downcast_mut()
        .expect("builders are made of the declared types")
}

fn mismatch(column: &str, what: &str) -> io::Error {
    io::Error::other(format!("a defect in the program: column {column} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns() -> Vec<Column> {
        let column = |name, kind| Column { name, kind };
        let message = vec![column("role", Type::Text), column("train", Type::Flag)];
        vec![
            column("id", Type::Text),
            column("messages", Type::List(Box::new(Type::Struct(message)))),
            column("length", Type::Whole),
            column("seed", Type::Seed),
            column("names", Type::List(Box::new(Type::Text))),
            column("of", Type::Struct(vec![column("x", Type::Text)])),
        ]
    }

    fn written(rows: &[Value]) -> io::Result<Vec<u8>> {
        let mut table = Table::new(Vec::new(), columns(), &[("program", "colloquy".into())])?;
        for row in rows {
            table.put(row.as_object().unwrap())?;
        }
        table.finish()
    }

    #[test]
    fn what_is_not_declared_is_a_defect_and_never_lost() {
        for row in [
            json!({"id": "a", "mood": 1}),
            json!({"id": 1}),
            json!({"length": "long"}),
            json!({"messages": [{"role": "user", "links": []}]}),
            json!({"of": []}),
            json!({"seed": -1}),
        ] {
            let error = written(std::slice::from_ref(&row)).unwrap_err();
            assert!(error.to_string().contains("a defect"), "{row}: {error}");
        }
    }

    #[test]
    fn files_begin_and_end_as_parquet_and_are_the_same_again() {
        let rows = [
            json!({"id": "a", "messages": [{"role": "user", "train": true}, {"role": null}], "seed": u64::MAX}),
            json!({"messages": [], "names": ["x", null], "of": {"x": "y"}, "length": 3}),
            json!({}),
        ];
        let bytes = written(&rows).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        assert_eq!(bytes, written(&rows).unwrap());
        assert!(written(&[]).unwrap().ends_with(b"PAR1"));
    }
}
