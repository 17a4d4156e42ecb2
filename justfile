# What people who work on farcast do often.

# Format and lints, as in CI.
check:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# The tests of the README.
test:
    cargo test --release --workspace

# Accept what the language cases and the compared outputs say now, and the generated reference.
bless:
    BLESS=1 UPDATE_EXPECT=1 cargo test --release --workspace
    cargo run --release -- docs > docs/reference.md

# The program as it is installed: everything optimised, without symbols.
dist:
    cargo build --profile dist --locked

# The wheel of the program and the Python package, fully optimised: `pip install wheels/*.whl`.
wheel:
    pipx run maturin==1.16.0 build --locked --out wheels

# The documentation of the code, and the generated reference.
docs:
    cargo doc --release --workspace --no-deps
    cargo run --release -- docs > docs/reference.md

# The benches; the side-by-side commands are in benches/README.md.
bench:
    cargo bench --manifest-path benches/Cargo.toml

# Licences and advisories of all dependencies.
deny:
    cargo deny check

# All that a change must pass.
ci:
    .ci/run
