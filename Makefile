# The user's front door. Nothing needs activating: every target uses .venv/bin.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every command would compile all it imports anew, which is most of the start of a short one.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
MLOPS  := $(BIN)/mlops
ENV    ?= dev
# Two sizes of the same environment: what the demo needs, and that plus every tool of development.
DEMO   := $(VENV)/.installed-demo
STAMP  := $(VENV)/.installed-dev
FLOWER := {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
CLOUDS := local aws azure gcp embedded
UIS    := mlflow argocd grafana argo-wf

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@for verb in deploy status destroy; do for cloud in $(CLOUDS); do echo "  $$verb-$$cloud"; done; done
	@for ui in $(UIS); do echo "  port-forward-$$ui"; done

##@ environment
.PHONY: env
env: $(STAMP) ## Create .venv with everything the targets below need

$(VENV)/.installed-%: requirements/%.lock pyproject.toml scripts/create-environment.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/create-environment.sh $<
	@touch $@

# The development environment holds the demo's: nothing is installed twice.
ifeq ($(wildcard $(STAMP)),$(STAMP))
RUN := $(STAMP)
else
RUN := $(DEMO)
endif

.PHONY: lock
lock: ## Resolve the locked versions anew (needs uv)
	sh scripts/lock.sh

.PHONY: clean
clean: ## Remove the environment and caches (a deployed platform stays: see destroy-embedded)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

##@ the product
.PHONY: demo
demo: $(RUN) ## From nothing to a prediction: deploy, train, register, serve, predict
	@$(MLOPS) deploy --yes
	@$(MLOPS) pipeline submit --wait
	@$(MLOPS) model deploy iris
	@$(MLOPS) predict iris --json '$(FLOWER)'
	@echo "next: mlops pipeline get @latest · mlops port-forward mlflow · mlops destroy   (mlops is $(MLOPS))"

.PHONY: $(foreach verb,deploy status destroy,$(CLOUDS:%=$(verb)-%)) $(UIS:%=port-forward-%)
# Clouds take more than the demo's environment has: Terraform, Helm and the clouds' own libraries.
$(foreach verb,deploy status destroy,$(patsubst %,$(verb)-%,$(filter-out embedded,$(CLOUDS)))): $(STAMP)
# Confirmation is asked for by the command itself; ENV=staging chooses another environment.
$(CLOUDS:%=deploy-%): deploy-%: $(RUN)
	$(MLOPS) deploy --cloud $* --env $(ENV)
$(CLOUDS:%=status-%): status-%: $(RUN)
	$(MLOPS) status --cloud $* --env $(ENV)
$(CLOUDS:%=destroy-%): destroy-%: $(RUN)
	$(MLOPS) destroy --cloud $* --env $(ENV)
$(UIS:%=port-forward-%): port-forward-%: $(RUN)
	$(MLOPS) port-forward $* --env $(ENV)

##@ development
.PHONY: test
test: $(STAMP) ## Every test that needs no cluster
	$(BIN)/pytest -n 2 --dist loadgroup -m "not terraform and not cluster" $(ARGS)

.PHONY: test-terraform
test-terraform: $(STAMP) ## Terraform against stand-ins of the clouds (long)
	$(BIN)/pytest -m terraform $(ARGS)

.PHONY: test-terraform-ci
test-terraform-ci: $(STAMP) ## The same without its longest tests, two at a time
	$(BIN)/pytest -n 2 --dist loadgroup -m "terraform and not long" $(ARGS)

.PHONY: test-cluster
test-cluster: $(STAMP) ## On the cluster that KUBECONFIG leads to (an empty one: the platform comes and goes)
	$(BIN)/pytest -m cluster $(ARGS)

.PHONY: images
images: ## Build the training, serving and tracking images (docker or buildah; REGISTRY=… PUSH=yes IMAGES=… OPTIONS=…)
	sh scripts/build-images.sh

.PHONY: lock-images
lock-images: ## Resolve the images' locked versions anew (needs uv)
	sh scripts/lock-images.sh

# It cannot share our environment: it wants other versions of what we use.
CHECKOV := .cache/checkov-3.3.30/bin/checkov
$(CHECKOV):
	$(PYTHON) -m venv $(@D:/bin=)
	$(@D)/pip install --quiet --disable-pip-version-check checkov==3.3.30

.PHONY: checkov
checkov: $(STAMP) $(CHECKOV) ## Hold Terraform and manifests to checkov's policies: no finding without a reason beside it
	CHECKOV=$(CURDIR)/$(CHECKOV) $(BIN)/pytest tests/test_terraform_modules.py tests/test_terraform_clouds.py tests/test_platform_chart.py -k checkov

# Its rules for Terraform's own language come with it; a compiler of Go makes it.
TFLINT := .cache/tflint-0.64.0/tflint
$(TFLINT):
	GOBIN=$(CURDIR)/$(@D) CGO_ENABLED=0 go install github.com/terraform-linters/tflint@v0.64.0

.PHONY: tflint
tflint: $(TFLINT) ## Hold Terraform to tflint's rules: nothing undeclared, unused or without a version (needs Go, once)
	$(TFLINT) --chdir=infrastructure/terraform --recursive --format=compact

.PHONY: terraform-locks
terraform-locks: ## Write the providers' checksums for Linux and macOS (needs terraform and the public registry)
	sh scripts/lock-providers.sh

.PHONY: lint
lint: $(STAMP) ## ruff: style, errors, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP) ## mypy, strict on platform_cli
	$(BIN)/mypy

.PHONY: format
format: $(STAMP) ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: validate
validate: $(STAMP) ## Lint the workflow files and, where terraform is on PATH, check its formatting
	$(MLOPS) pipeline lint pipelines/training/ml-training-workflow.yaml
	@if command -v terraform >/dev/null; then terraform fmt -check -recursive infrastructure; else echo "terraform is not on PATH: formatting not checked"; fi

.PHONY: manifests
manifests: $(STAMP) ## Write what is derived from the step code into the workflow file
	$(BIN)/python -m platform_cli.workflow.step_code --write

.PHONY: bench
bench: $(STAMP) ## Ratios against peers and floors, in one run
	$(BIN)/python -m benchmarks

.PHONY: bench-terraform
bench-terraform: $(STAMP) ## What mlops adds to Terraform, on a stand-in for AWS (needs Terraform)
	$(BIN)/python -m benchmarks bench-terraform

.PHONY: bench-cluster
bench-cluster: $(STAMP) ## What mlops costs on the cluster of KUBECONFIG (an empty one: the platform comes and goes)
	$(BIN)/python -m benchmarks bench-cluster

.PHONY: docs
docs: $(STAMP) ## Generate the reference pages
	$(BIN)/python -m docs.generate

.PHONY: picture
picture: $(STAMP) ## Draw docs/demo.svg from a real run of the demo
	$(BIN)/python scripts/picture.py docs/demo.svg
