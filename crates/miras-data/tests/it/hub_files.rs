//! Data sets of the Hugging Face Hub, by name.

#[cfg(not(feature = "hub"))]
#[test]
fn a_build_without_downloads_says_how_to_build_it() {
    use miras_data::{TextConfig, open_text};
    let config = TextConfig {
        path: "hf://owner/tales".into(),
        ..TextConfig::default()
    };
    let error = open_text(&config, 0, &[]).err().unwrap();
    assert_eq!(error.field(), Some("path"));
    let expected = "path: `hf://owner/tales` is a data set of the Hugging Face Hub, which this build \
                    does not download: build with `--features hub`, or download it and name the \
                    folder of its files";
    assert_eq!(error.to_string(), expected);
}

#[cfg(feature = "hub")]
mod with_downloads {
    use std::{
        env,
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        path::Path,
        process::Command,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use miras_data::{Paths, TextConfig, open_text};

    use crate::support::text;

    /// What the data set `owner/tales` has.
    fn files() -> Vec<(&'static str, Vec<u8>)> {
        let line = |word: &str| format!("{{\"text\": \"{}\"}}\n", format!("{word} ").repeat(200));
        vec![
            ("README.md", b"# Tales".to_vec()),
            ("data/test-00.jsonl", line("test").into_bytes()),
            ("data/train-00.jsonl", line("first").into_bytes()),
            ("data/train-01.jsonl", line("second").into_bytes()),
            ("notes.txt", text(400)),
        ]
    }

    /// A hub with one data set, which counts the downloads of files.
    struct Hub {
        address: String,
        downloads: Arc<AtomicUsize>,
    }

    impl Hub {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let downloads = Arc::<AtomicUsize>::default();
            let count = downloads.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    answer(stream.unwrap(), &count);
                }
            });
            Self { address, downloads }
        }
    }

    fn answer(stream: TcpStream, downloads: &AtomicUsize) {
        let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let Some(first) = lines.next() else { return };
        let range = lines.take_while(|line| !line.is_empty()).find_map(|line| {
            line.to_lowercase()
                .strip_prefix("range: bytes=")
                .map(str::to_owned)
        });
        let path = first.split(' ').nth(1).unwrap();
        let send = |status: &str, headers: &str, body: &[u8]| {
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
                body.len()
            );
            let _ = (&stream).write_all(head.as_bytes());
            let _ = (&stream).write_all(body);
        };
        if path == "/api/datasets/owner/tales/revision/main" {
            let names = files()
                .into_iter()
                .map(|(name, _)| format!("{{\"rfilename\":\"{name}\"}}"));
            let names: Vec<_> = names.collect();
            let body = format!("{{\"sha\":\"c0ffee\",\"siblings\":[{}]}}", names.join(","));
            return send(
                "200 OK",
                "Content-Type: application/json\r\n",
                body.as_bytes(),
            );
        }
        let named = |(name, _): &(&str, Vec<u8>)| {
            path == format!("/datasets/owner/tales/resolve/main/{name}")
        };
        let Some((name, bytes)) = files().into_iter().find(named) else {
            return send("404 Not Found", "", b"");
        };
        let range = range.unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let from: usize = from.parse().unwrap();
        let to = to.parse().unwrap_or(bytes.len() - 1);
        if to > from {
            downloads.fetch_add(1, Ordering::SeqCst);
        }
        let headers = format!(
            "ETag: \"{}\"\r\nX-Repo-Commit: c0ffee\r\nContent-Range: bytes {from}-{to}/{}\r\n",
            name.replace('/', "-"),
            bytes.len()
        );
        send("206 Partial Content", &headers, &bytes[from..=to]);
    }

    const ASKED: &str = "MIRAS_TEST_HUB_PATH";

    /// What a program says that opens `path`, with a hub and a cache of its own.
    fn opened(path: &str, hub: &str, cache: &Path) -> String {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("hub_files::with_downloads::the_program_that_opens_a_path")
            .env("HF_ENDPOINT", hub)
            .env("HF_HOME", cache)
            .env(ASKED, path)
            .output()
            .unwrap();
        let said = String::from_utf8(child.stdout).unwrap();
        let begin = said.find("said: ").expect(&said) + "said: ".len();
        said[begin..said.find(" :said").expect(&said)].to_owned()
    }

    #[test]
    #[ignore = "started by the other tests, for what it has of its environment"]
    fn the_program_that_opens_a_path() {
        let path: Paths = env::var(ASKED).unwrap().as_str().into();
        let config = TextConfig {
            path,
            seq_len: 16,
            ..TextConfig::default()
        };
        let cache = env::temp_dir().join("miras-test-hub");
        match open_text(&config, 0, &[cache]) {
            Ok(data) => {
                let found = data.describe();
                let bytes = found.train_bytes.unwrap() + found.valid_bytes.unwrap();
                let names: Vec<String> = (found.files.iter())
                    .map(|file| file.path.file_name().unwrap().display().to_string())
                    .collect();
                println!("said: {names:?} {bytes} {:?} :said", found.notes);
            }
            Err(error) => println!("said: {error} :said"),
        }
    }

    #[test]
    fn a_data_set_is_downloaded_once_and_its_files_for_training_are_read() {
        let hub = Hub::new();
        let cache = tempfile::tempdir().unwrap();
        let open = |path: &str| opened(path, &hub.address, cache.path());
        let whole = open("hf://owner/tales");
        assert!(
            whole.starts_with("[\"train-00.jsonl\", \"train-01.jsonl\"] 2600 "),
            "{whole}"
        );
        assert!(
            whole.contains("2 of its 4 files are read, those with `train`"),
            "{whole}"
        );
        assert_eq!(hub.downloads.load(Ordering::SeqCst), 2);
        assert_eq!(open("hf://owner/tales"), whole);
        assert_eq!(
            hub.downloads.load(Ordering::SeqCst),
            2,
            "it is in the cache"
        );
        let one = open("hf://owner/tales@main/notes.txt");
        assert!(one.starts_with("[\"notes.txt\"] 400 []"), "{one}");
        let some = open("hf://owner/tales/data/*.jsonl");
        assert!(
            some.starts_with("[\"test-00.jsonl\", \"train-00.jsonl\", "),
            "{some}"
        );
    }

    #[test]
    fn what_is_not_to_be_had_says_why() {
        let hub = Hub::new();
        let cache = tempfile::tempdir().unwrap();
        let open = |path: &str| opened(path, &hub.address, cache.path());
        for (path, said) in [
            (
                "hf://owner",
                "has another form than `hf://OWNER/NAME[@REVISION][/FILES]`",
            ),
            ("hf://owner/tales/", "has another form"),
            (
                "hf://owner/tails",
                "is not to be had (404): there is no data set owner/tails",
            ),
            (
                "hf://owner/tales@v2",
                "there is no data set owner/tales with a revision v2",
            ),
            (
                "hf://owner/tales/data/train-02.jsonl",
                "names no file of owner/tales: did you mean `data/train-0",
            ),
            (
                "hf://owner/tales/*.csv",
                "names no file of owner/tales; it has data/test-00.jsonl, ",
            ),
        ] {
            let found = open(path);
            assert!(
                found.starts_with(&format!("path: `{path}` ")) && found.contains(said),
                "{path}: {found}"
            );
        }
        let nobody = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let unreached = opened(
            "hf://owner/tales",
            &format!("http://{nobody}"),
            cache.path(),
        );
        assert!(unreached.contains("cannot be downloaded: "), "{unreached}");
        assert!(
            unreached.contains("name the folder of its files"),
            "{unreached}"
        );
    }
}
