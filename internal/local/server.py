# The local model's server, run by promptd as a supervised child process.
#
# The first line of standard input was the configuration (JSON, with this program in it): the API key travels there,
# because others can read a command line. Standard input stays open for as long as promptd lives; its end is the order to stop, so that the model
# cannot outlive promptd. Standard output carries one line, the ready line; all else goes to standard error.
import json
import os
import socket
import sys
import threading


def serve(conf):
    # The engine may print to descriptor 1 as it likes; the ready line alone gets the real one.
    ready = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=stop_with_stdin, daemon=True).start()
    refuse_taken(conf["port"])

    sys.path.insert(0, conf["parts"])
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = conf["model"]
    p.model_alias = {conf["alias"]}
    p.hostnames = ["127.0.0.1"]
    p.port = conf["port"]  # 0 lets the system choose one that is free.
    p.api_keys = [conf["api_key"]]
    p.n_parallel = conf["parallel"]
    p.n_ctx = conf["context"] * conf["parallel"]  # The engine divides it among the slots.
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = conf["threads"]
    p.cache_ram_mib = conf["cache_mib"]
    p.use_jinja = True
    p.endpoint_metrics = True
    p.endpoint_slots = False  # It shows what others' requests hold.
    p.offline = True
    p.ui = False
    server = xllamacpp.Server(p)

    print(json.dumps({"ready": server.listening_address}), file=ready, flush=True)
    threading.Event().wait()


def refuse_taken(port):
    # The engine aborts with a stack trace where the port is taken; this says it in words.
    with socket.socket() as s:
        if port and s.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit("port %d is taken by another program" % port)


def stop_with_stdin():
    # Unbuffered: a buffer's lock, held here for ever, would make an interpreter that ends by itself abort.
    while os.read(0, 4096):
        pass
    os._exit(0)  # Not sys.exit: native threads in the middle of an answer would hold it up.


serve(conf)  # noqa: F821: promptd puts it here.
