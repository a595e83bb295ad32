# What the demos share: their options, steps that pass or fail, and the result.
# shellcheck shell=bash
# To be sourced by a demo that has a function `usage`.

demo=''
fail_usage() {
  echo "$demo.sh: $1" >&2
  usage >&2
  exit 2
}

# begin NAME ARGUMENT…: reads the options of the demo, sets up .venv, goes to the repository, and
# sees that $state_dir is not in use.
begin() {
  demo=$1
  shift
  state_dir=''
  as_json=false
  while (($# > 0)); do
    case $1 in
      --state-dir)
        [[ -n ${2:-} ]] || fail_usage '--state-dir needs a directory'
        state_dir=$(realpath -m -- "$2")
        shift
        ;;
      --json) as_json=true ;;
      --help | -h) usage && exit 0 ;;
      *) fail_usage "unknown argument '$1'" ;;
    esac
    shift
  done

  # An operator's own settings.
  unset CDPATH "${!TAU_CUSTOM_COMMAND_@}" "${!TAU_TRANSPORT_HEALTH_@}" "${!TAU_ROLLOUT_GATE_@}"
  root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
  "$root/scripts/setup.sh"
  cd -- "$root" || exit
  PATH=$root/.venv/bin:$PATH

  # With --json the story goes to stderr, so that stdout holds the answer alone.
  exec 3>&1
  if "$as_json"; then exec 1>&2; fi

  if [[ -z $state_dir ]]; then
    state_dir=.tau/demo/$demo
    rm -rf -- "$state_dir"
  elif [[ -n $(ls -A -- "$state_dir" 2>/dev/null) ]]; then
    fail_usage "$state_dir is not empty; the demo starts from nothing"
  fi
  results=()
  failed=0
}

# step NAME EXPECTED COMMAND…: shows and runs a command that must succeed and print EXPECTED.
step() { step_exits 0 "$@"; }

# step_exits CODE NAME EXPECTED COMMAND…: the same for a command that must exit with CODE.
step_exits() {
  local code=$1 name=$2 expected=$3 verdict=PASS printed exited=0
  shift 3
  printf '\n== %s\n' "$name"
  [[ $(type -t "$1") == function ]] || printf '$ %s\n' "$*"
  printed=$("$@") || exited=$?
  show "$printed"
  if [[ $exited != "$code" ]]; then
    verdict="FAIL (exit $exited)"
  elif [[ $printed != *"$expected"* ]]; then
    verdict="FAIL ('$expected' is not there)"
  fi
  [[ $verdict == PASS ]] || failed=$((failed + 1))
  printf '%s  %s\n' "$verdict" "$name"
  results+=("{\"step\": \"$name\", \"result\": \"${verdict:0:4}\"}")
}

# sign_off ROLLOUT_DIR NOW_UNIX_MS: fills in the checklist as people would; here the evidence is
# files of this repository.
sign_off() {
  tau-rollout-gate signoff init --rollout-dir "$1"
  python - "$1/signoff.toml" "$2" <<'PYTHON'
import datetime, itertools, pathlib, re, sys

checklist, day = pathlib.Path(sys.argv[1]), int(sys.argv[2]) // 1000
files = sorted(str(path) for path in pathlib.Path("runbooks").glob("*.md"))
evidence = itertools.cycle(files)
text = checklist.read_text()
text = text.replace('date = ""', f'date = {datetime.datetime.fromtimestamp(day, datetime.UTC):%Y-%m-%d}')
text = text.replace('owner = ""', 'owner = "release engineering"')
text = text.replace("reviewers = []", 'reviewers = ["operations"]')
checklist.write_text(re.sub('= ""$', lambda _: f'= "{next(evidence)}"', text, flags=re.M))
PYTHON
  tau-rollout-gate signoff verify --rollout-dir "$1" --now-unix-ms "$2"
}

# show TEXT: prints it; on a terminal no word is cut in two at the edge.
show() {
  local columns
  if [[ -t 1 ]] && columns=$(tput cols 2>/dev/null); then
    fold -s -w "$columns" <<<"$1"
  else
    printf '%s\n' "$1"
  fi
}

# finish: prints the result of all steps; fails if one failed.
finish() {
  local total=${#results[@]} summary steps
  summary=$([[ $failed == 0 ]] && echo PASS || echo FAIL)
  printf '\n%s: %d of %d steps passed; state files in %s\n' \
    "$summary" $((total - failed)) "$total" "$state_dir"
  if "$as_json"; then
    printf -v steps '%s, ' "${results[@]}"
    printf '{"result": "%s", "steps": [%s]}\n' "$summary" "${steps%, }" >&3
  fi
  ((failed == 0))
}
