build_micro() { :; }
run_micro() { :; }
