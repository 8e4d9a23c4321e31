# Every command of the house; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run demo test check gate format lock sbom bench backup clean
ARGS ?=
BIN := .venv/bin

help: ## list the commands / 列出命令
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, load the demo township, serve on port 8080 / 安装、装入示例乡镇、启动
	@scripts/run.sh

demo: ## play the story of two phones against the running server / 对运行中的服务演示两台手机
	@scripts/demo.sh $(ARGS)

test: ## run the whole suite on both engines (ARGS="-k words") / 在两种数据库上跑全部测试
	@scripts/test.sh $(ARGS)

check: gate test ## format, lint, types, floors, tests: the whole gate / 全部检查

gate: ## the gate without the tests / 除测试外的检查
	@scripts/environment.sh dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: ## lay out the code and mend what can be mended by itself / 整理代码格式
	@scripts/environment.sh dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## pin all requirements again, with hashes (needs uv) / 重新锁定依赖
	@scripts/lock.sh

sbom: ## list all parts with their licences / 生成软件物料清单
	@scripts/environment.sh dev
	@scripts/sbom.sh $(ARGS)

bench: ## measure what a phone costs the server / 测量服务器开销
	@scripts/bench.sh $(ARGS)

backup: ## copy the database into var/backup while the server runs / 在线备份数据库
	@scripts/environment.sh
	@$(BIN)/python -m scripts.backup

clean: ## remove the environment and all caches; var/ stays / 清除环境与缓存，保留 var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/*/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
