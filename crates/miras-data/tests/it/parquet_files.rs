//! Texts in a column of Parquet files.

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_the_reader_says_how_to_build_it() {
    use crate::support::Place;
    let place = Place::new(&[("a.parquet", b"PAR1")]);
    let error = place.open(&place.config(&["a.parquet"]), 0).err().unwrap();
    assert_eq!(error.field(), Some("path"));
    let expected = format!(
        "path: `{}` is a Parquet file, which this build does not read: build with `--features \
         parquet`",
        place.path("a.parquet")
    );
    assert_eq!(error.to_string(), expected);
}

#[cfg(feature = "parquet")]
mod with_the_reader {
    use std::sync::Arc;

    use miras_data::TextConfig;
    use parquet::{
        basic::{Compression, GzipLevel, ZstdLevel},
        data_type::{ByteArray, ByteArrayType, Int64Type},
        file::{
            properties::{WriterProperties, WriterVersion},
            writer::SerializedFileWriter,
        },
        schema::parser::parse_message_type,
    };

    use crate::support::{Place, evaluated, gz, text, trained, zst};

    const SCHEMA: &str = "message m {
        required int64 id;
        optional binary text (UTF8);
        required binary body (UTF8);
        optional group meta { required binary note (UTF8); }
        repeated binary tags (UTF8);
    }";

    fn properties(compression: Compression, is_plain: bool) -> WriterProperties {
        let version = if is_plain {
            WriterVersion::PARQUET_1_0
        } else {
            WriterVersion::PARQUET_2_0
        };
        WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(is_plain)
            .set_writer_version(version)
            .set_data_page_row_count_limit(70)
            .build()
    }

    /// A file whose column `text` has these, in groups of so many rows.
    fn file(texts: &[Option<Vec<u8>>], group: usize, properties: WriterProperties) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let mut bytes = Vec::new();
        let mut writer =
            SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        for texts in texts.chunks(group) {
            let mut rows = writer.next_row_group().unwrap();
            let ids: Vec<i64> = (0..texts.len() as i64).collect();
            let mut column = rows.next_column().unwrap().unwrap();
            let typed = column.typed::<Int64Type>();
            typed.write_batch(&ids, None, None).unwrap();
            column.close().unwrap();

            let given = texts.iter().flatten();
            let values: Vec<ByteArray> = given.map(|text| text.clone().into()).collect();
            let there: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
            let mut column = rows.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, Some(&there), None).unwrap();
            column.close().unwrap();

            let bodies: Vec<ByteArray> = ids
                .iter()
                .map(|id| format!("body {id}").as_str().into())
                .collect();
            let mut column = rows.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&bodies, None, None).unwrap();
            column.close().unwrap();

            let mut column = rows.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            let all = vec![1; texts.len()];
            typed.write_batch(&bodies, Some(&all), None).unwrap();
            column.close().unwrap();

            let mut column = rows.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            let none = vec![0; texts.len()];
            typed.write_batch(&[], Some(&none), Some(&none)).unwrap();
            column.close().unwrap();
            rows.close().unwrap();
        }
        writer.close().unwrap();
        bytes
    }

    fn texts(count: usize) -> Vec<Option<Vec<u8>>> {
        let one = |at: usize| format!("Anna has key {}.{}", at % 40, " Tom too.".repeat(at % 5));
        (0..count).map(|at| Some(one(at).into_bytes())).collect()
    }

    #[test]
    fn the_texts_of_a_column_are_read_however_they_are_stored() {
        let all = texts(700);
        let bytes: Vec<Vec<u8>> = all.iter().flatten().cloned().collect();
        let joined = bytes.join(&b"\n\n"[..]);
        for (is_plain, compression) in [
            (true, Compression::UNCOMPRESSED),
            (false, Compression::UNCOMPRESSED),
            (true, Compression::SNAPPY),
            (false, Compression::ZSTD(ZstdLevel::default())),
            (true, Compression::GZIP(GzipLevel::default())),
            (false, Compression::LZ4_RAW),
        ] {
            let columns = file(&all, 300, properties(compression, is_plain));
            let place = Place::new(&[("a.parquet", &columns), ("whole.txt", &joined)]);
            let mut config = place.config(&["a.parquet"]);
            config.separator = "\n\n".to_owned();
            let whole = TextConfig {
                path: place.paths(&["whole.txt"]),
                ..config.clone()
            };
            let data = place.open(&config, 0).unwrap();
            let expected = place.open(&whole, 0).unwrap();
            assert_eq!(data.describe().fingerprint, expected.describe().fingerprint);
        }
    }

    #[test]
    fn rows_lines_and_files_are_documents_of_one_corpus() {
        let of_columns = texts(90);
        let place = Place::new(&[
            (
                "in/a.parquet",
                &file(&of_columns, 50, properties(Compression::SNAPPY, true)),
            ),
            (
                "in/b.jsonl.zst",
                &zst(b"{\"text\": \"one line\"}\n{\"text\": \"two lines\"}\n"),
            ),
            ("in/c.txt.gz", &gz(&text(900))),
        ]);
        let mut config = place.config(&["in"]);
        config.separator = "<|end|>".to_owned();
        config.valid_fraction = Some(0.5);
        let data = place.open(&config, 0).unwrap();
        let found = [trained(&*data), evaluated(&*data)].concat();
        let found: Vec<u8> = found.into_iter().map(|byte| byte as u8).collect();
        let mut documents: Vec<Vec<u8>> = of_columns.into_iter().flatten().collect();
        documents.extend([b"one line".to_vec(), b"two lines".to_vec(), text(900)]);
        let joined = documents.join(&b"<|end|>"[..]);
        let half = found.len() / 3;
        assert!(joined.starts_with(&found[..half]));
        assert!(joined.ends_with(&found[found.len() - half..]));
        let other = TextConfig {
            field: "meta.note".to_owned(),
            path: place.paths(&["in/a.parquet"]),
            ..config
        };
        let data = place.open(&other, 0).unwrap();
        let bytes: Vec<u8> = trained(&*data)[..20]
            .iter()
            .map(|&byte| byte as u8)
            .collect();
        assert_eq!(bytes, b"body 0<|end|>body 1<");
    }

    #[test]
    fn a_column_that_cannot_be_read_is_named_by_file_and_row() {
        let good = texts(300);
        let packed =
            |texts: &[Option<Vec<u8>>]| file(texts, 200, properties(Compression::SNAPPY, true));
        let with = |at: usize, bad: Option<&[u8]>| {
            let mut texts = good.clone();
            texts[at] = bad.map(<[u8]>::to_vec);
            packed(&texts)
        };
        let whole = packed(&good);
        for (field, bytes, expected) in [
            (
                "txt",
                whole.clone(),
                "field: `DIR/a.parquet` has no column \"txt\", it has \"id\", \"text\", \"body\", \"meta.note\" and \"tags\"; did you mean field = \"text\"?",
            ),
            (
                "id",
                whole.clone(),
                "field: `DIR/a.parquet` has values of another type in the column \"id\", INT64: expected texts",
            ),
            (
                "tags",
                whole.clone(),
                "field: `DIR/a.parquet` has values of another type in the column \"tags\", lists: expected texts",
            ),
            (
                "text",
                with(0, None),
                "field: row 1 of `DIR/a.parquet` has null in place of a text in the column \"text\"",
            ),
            (
                "text",
                with(299, None),
                "field: row 300 of `DIR/a.parquet` has null in place of a text in the column \"text\"",
            ),
            (
                "text",
                with(250, Some(b"f\xfcr")),
                "field: row 251 of `DIR/a.parquet` has bytes that are not UTF-8 in the column \"text\"",
            ),
            (
                "text",
                with(199, Some(b"a\0")),
                "field: row 200 of `DIR/a.parquet` has a NUL character in the column \"text\"",
            ),
            (
                "text",
                whole[..whole.len() - 9].to_vec(),
                "path: `DIR/a.parquet` is no Parquet file that can be read: ",
            ),
            (
                "text",
                whole[9..].to_vec(),
                "path: `DIR/a.parquet` is no Parquet file that can be read: ",
            ),
            (
                "text",
                b"Anna".repeat(99),
                "path: `DIR/a.parquet` is no Parquet file that can be read: ",
            ),
            (
                "text",
                Vec::new(),
                "path: `DIR/a.parquet` is no Parquet file that can be read: ",
            ),
        ] {
            let place = Place::new(&[("a.parquet", &bytes)]);
            let mut config = place.config(&["a.parquet"]);
            config.field = field.to_owned();
            let error = place.open(&config, 0).err().expect(expected).to_string();
            let error = error.replace(place.path("").trim_end_matches('/'), "DIR");
            if expected.ends_with(": ") {
                assert!(error.starts_with(expected), "{error}");
            } else {
                assert_eq!(error, expected);
            }
        }
        let place = Place::new(&[
            ("a.parquet.gz", &gz(&whole)),
            ("none.parquet", &packed(&[])),
        ]);
        let error = |name| {
            place
                .open(&place.config(&[name]), 0)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(error("a.parquet.gz").contains("unpack it first, as by `gunzip "));
        assert!(error("none.parquet").contains("is empty"));
    }
}
