// To be preloaded into PyTorch: its MKL asks this, and leaves AVX-512 unused on an AMD processor otherwise.
extern "C" int mkl_serv_intel_cpu_true() { return 1; }
