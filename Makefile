# Talktime. `make run` shows it, `make test` proves it; everything else is in `make help`.
# Needs Python 3.11 or newer, make and git. Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
BIN := .venv/bin
OPERATOR = PYTHONPATH=functions:. $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help run states test test-cloud test-aws prove fuzz prove-models prove-faults prove-cloud simulate-long seeded-bugs mutation check bench simulate clean format lock openapi currencies reconcile rebuild-summaries prove-ledgers rebuild-balance restore-drill dead-letters republish erase python env-dev env-all env-mutation

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: env-all ## Start the local cloud, play a simulated month, print the statement, stay up
	@$(BIN)/python -m local

states: env-dev ## Open a tenant in each state an account can be in, on the stack that `make run` has up
	@$(BIN)/python -m local.open_states

test: env-all ## Run every test, the local cloud's included
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

test-cloud: env-all ## Run only the tests that need the local cloud
	@$(BIN)/python -m pytest -m cloud $(ARGS)

test-aws: env-dev ## Run the book's contract and races in the AWS account you are logged in to (makes and drops tables)
	@TALKTIME_TEST_AWS=1 $(BIN)/python -m pytest -m aws tests/contract $(ARGS)

prove: env-all ## Run everything that is too long for every day; two hours on 2 cores (docs/proof.md)
	@$(MAKE) --no-print-directory prove-models
	@$(MAKE) --no-print-directory prove-faults
	@$(MAKE) --no-print-directory seeded-bugs
	@$(MAKE) --no-print-directory mutation
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory prove-cloud
	@$(MAKE) --no-print-directory simulate-long

prove-models: env-dev ## Compare 100,000 rated calls and recharge policies with models, and garble 10,000 webhooks
	@RATING_MODEL_CALLS=100000 $(BIN)/python -m pytest -q tests/unit/domain/test_rating_model.py
	@RECHARGE_MODEL_CASES=100000 $(BIN)/python -m pytest -q tests/unit/domain/test_recharge_policy.py
	@TALKTIME_MUTATIONS=10000 $(BIN)/python -m pytest -q -n 2 tests/unit/telephony

prove-faults: env-dev ## Let flows fail at two points each, tens of thousands of times
	@TALKTIME_FAULT_SECONDS=37 $(BIN)/python -m pytest -q -n 2 tests/faults/test_fault_points.py
	@TALKTIME_WIRE_PAIRS=1500 $(BIN)/python -m pytest -q -n 2 tests/faults/test_wire_faults.py

prove-cloud: env-all ## Fuzz the running stack over HTTP, and let more writers at one account
	@TALKTIME_HTTP_CASES=25 $(BIN)/python -m pytest -q tests/integration/stack/test_fuzz_over_http.py
	@TALKTIME_WRITERS=64 TALKTIME_WRITES=2 $(BIN)/python -m pytest -q tests/integration/stack/test_writers_at_once.py

simulate-long: env-dev ## Play a million operations in worlds where everything goes wrong
	@PYTHONPATH=functions:tests:. $(BIN)/python -m simulation.long

seeded-bugs: env-dev ## Put each of tests/seeded_bugs into a copy of the code, and see it caught [ARGS=…]
	@$(BIN)/python scripts/seeded_bugs.py $(ARGS)

mutation: env-mutation ## Change the arithmetic of money in every small way, and see each noticed
	@.local/mutation-venv/bin/python scripts/mutate.py

fuzz: env-dev ## Try 2,000 made-up requests of every operation of the API, other ones each time [FUZZ_SEED=…]
	@seed="$${FUZZ_SEED:-$$(date +%s)}"; echo "FUZZ_SEED=$$seed"; \
	  FUZZ_CASES=1000 FUZZ_SEED="$$seed" $(BIN)/python -m pytest -q -n 2 tests/integration/api/test_fuzz.py

check: env-dev ## Lint, format, types, template, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy functions local scripts benchmarks tests
	@$(BIN)/cfn-lint infra/template.yaml

bench: env-dev ## Measure what the documentation claims
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; PYTHONPATH=functions:. $(BIN)/python $$file || exit 1; done

simulate: env-dev ## Play a year of automatic recharge and compare it with docs/recharge.md [ARGS=--write]
	@PYTHONPATH=functions:tests $(BIN)/python -m simulation.year $(ARGS)

clean: ## Remove what runs and tests have made, the local cloud's data included
	@rm -rf .local/data .local/stack.json .local/artifacts .local/tmp .build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.local/*' -prune -exec rm -rf {} +

format: env-dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: env-dev ## Pin again what ships and what tests, with hashes
	@for name in functions/requirements requirements-dev local/requirements tests/mutation/requirements; do \
	  $(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o $$name.txt $$name.in; done

openapi: env-dev ## Write docs/openapi.json from the code
	@PYTHONPATH=functions $(BIN)/python scripts/generate_openapi.py

currencies: env-dev ## Write the domain's table of minor units from ISO 4217
	@$(BIN)/python scripts/generate_currencies.py

reconcile: env-dev ## Compare a day with the provider's own list: CONNECTION=… DAY=… [FUNCTION=…]
	@$(BIN)/python scripts/reconcile.py "$(CONNECTION)" "$(DAY)" --function "$(FUNCTION)"

rebuild-summaries: env-dev ## Make usage summaries again from the ledger: [TENANT=… ACCOUNT=… FUNCTION=…]
	@$(BIN)/python -m local.rebuild_summaries --tenant "$(TENANT)" --account "$(ACCOUNT)" --function "$(FUNCTION)"

prove-ledgers: env-dev ## Walk every ledger of a table: TABLE=… [TENANT=… ACCOUNT=…]
	@$(OPERATOR) scripts/prove_ledgers.py "$(TABLE)" --tenant "$(TENANT)" --account "$(ACCOUNT)"

rebuild-balance: env-dev ## Compare a balance with its ledger: TABLE=… TENANT=… ACCOUNT=… [ACTOR=… REASON=… to write]
	@$(OPERATOR) scripts/rebuild_balance.py "$(TABLE)" "$(TENANT)" "$(ACCOUNT)" --actor "$(ACTOR)" --reason "$(REASON)"

restore-drill: env-dev ## Restore a table beside itself and prove the copy: TABLE=… [AT=…]
	@$(OPERATOR) scripts/restore_drill.py "$(TABLE)" $(if $(AT),--at "$(AT)")

dead-letters: env-dev ## Look at dead letters, and put them back: QUEUE=… [REDRIVE=1]
	@$(OPERATOR) scripts/dead_letters.py "$(QUEUE)" $(if $(REDRIVE),--redrive)

republish: env-dev ## Publish what was left in the outbox: TABLE=… FUNCTION=… [SEND=1]
	@$(OPERATOR) scripts/republish.py "$(TABLE)" "$(FUNCTION)" $(if $(SEND),--send)

erase: env-dev ## Erase personal data: TABLE=… ACTOR=… REASON=… WHAT="member TENANT MEMBER" (docs/security.md)
	@$(OPERATOR) scripts/erase.py "$(TABLE)" --actor "$(ACTOR)" --reason "$(REASON)" $(WHAT)

env-dev: python
	@$(PYTHON) -m local.environments dev

env-all: python
	@$(PYTHON) -m local.environments dev cloud

env-mutation: python
	@$(PYTHON) -m local.environments mutation

# Asked here as well: a Python too old to read our modules could not say so itself.
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Talktime needs Python 3.11 or newer as '$(PYTHON)'. Name another: make run PYTHON=python3.13" >&2; exit 1; }
