import sys


def response(flow):
    print("url:", flow.request.url, end=" ")
    print(flow.response.status_code)
    sys.stdout.write("written\n")
