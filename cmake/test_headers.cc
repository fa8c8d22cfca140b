// Nothing: its target is there for the headers that it compiles for the tests.
int main() { return 0; }
