build_durable() { :; }
run_durable() { :; }
