# For people: each target does all of its own set-up on Debian. The build itself is CMake's
# (CMakePresets.json); the longer steps are in scripts/.
.DEFAULT_GOAL := release
.PHONY: help release demo test tsan fuzz bench format lint clean

# $(call build,PRESET,OPTIONS,TARGET)
build = cmake --log-level=WARNING --preset $(1) $(2) && cmake --build --preset $(1) --target $(3)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

release: ## build the program: build/release/softlabel
	scripts/install-deps build web
	$(call build,release,,softlabel)

demo: ## tune on human labels and on hard labels, print the table (10 minutes on 2 cores)
	scripts/install-deps build
	$(call build,release,,softlabel)
	scripts/demo

test: ## all tests under the release and asan presets, and the quick checks of the sources
	scripts/install-deps build web mpi test
	scripts/test

tsan: ## the tests of our own threads under the thread sanitizer
	scripts/install-deps build
	$(call build,tsan,,tsan_tests)
	ctest --preset tsan --label-regex tsan

fuzz: ## every parser of files from outside under libFuzzer, a minute each
	scripts/install-deps build fuzz
	$(call build,fuzz,,fuzz/all)
	ctest --preset fuzz --parallel $$(nproc)

bench: release ## speed and memory of all networks against PyTorch (25 minutes; MODELS="a b")
	scripts/install-deps bench
	bench/compare $(MODELS)

format: ## rewrite the C sources in the project's format
	scripts/install-deps test
	scripts/format

lint: ## the quick checks, then clang-tidy
	scripts/install-deps build web mpi test lint
	$(call build,debug,,all)
	scripts/lint

clean: ## remove what was built
	rm -rf build/release build/debug build/asan build/tsan build/fuzz
