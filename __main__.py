from nodestead.program import deploy

deploy()
