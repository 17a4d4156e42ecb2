# What people who work on farcast do often.

# Format and lints, as in CI.
check:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets --features remote -- -D warnings

# The tests of the README.
test:
    cargo test --release --workspace

# Accept what the language cases and the compared outputs say now, and the generated reference.
bless:
    BLESS=1 UPDATE_EXPECT=1 cargo test --release --workspace
    cargo run --release -- docs > docs/reference.md

# The program as it is installed: everything optimised, without symbols.
dist:
    cargo build --profile dist --locked --features remote

# Man pages and completions of the program, where the wheel takes them from.
share PROGRAM:
    .ci/share {{PROGRAM}}

# The wheel of the program and the Python package, fully optimised: `pip install wheels/*.whl`.
wheel: dist (share "target/dist/farcast")
    pipx run maturin==1.16.0 build --locked --out wheels

# The documentation as a site in target/site, every link checked; the generated reference.
docs:
    cargo run --release -- docs > docs/reference.md
    pipx run --spec mkdocs==1.6.1 mkdocs build --quiet

# The documentation of the code.
code-docs:
    cargo doc --release --workspace --no-deps

# What a release publishes, with checksums: docs/releasing.md.
release: wheel
    tar --create --gzip --file wheels/farcast-$(uname -m)-linux.tar.gz \
        --directory target/dist farcast --directory {{justfile_directory()}}/packaging/data share
    cd editors/vscode && npm install --silent && npx vsce package --out ../../wheels/
    cd wheels && sha256sum farcast* > SHA256SUMS

# The benches: under ten minutes from nothing, a minute and a half once they are built; the side-by-side commands are in benches/README.md.
bench:
    cargo bench --manifest-path benches/Cargo.toml -- --warm-up-time 0.5 --measurement-time 2 --nresamples 20000

# The figures of farcast alone, beside those of the last time on this machine: under ten minutes.
bench-record:
    cargo build --release --locked --features remote
    python3 benches/run.py --farcast target/release/farcast --record
    python3 benches/scaling.py --farcast target/release/farcast --seconds 8 --record

# Licences and advisories of all dependencies.
deny:
    cargo deny check

# All that a change must pass.
ci:
    .ci/run
