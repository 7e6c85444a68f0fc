.PHONY: run test lint ui bench
run:
	scripts/run
test:
	scripts/test
lint:
	scripts/lint
ui:
	scripts/setup
	.venv/bin/staged-assets ui
bench:
	scripts/bench $(ARGS)
