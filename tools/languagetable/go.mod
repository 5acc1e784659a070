module github.com/promptd/promptd/tools/languagetable

go 1.26.8

require (
	github.com/pemistahl/lingua-go v1.4.0
	google.golang.org/protobuf v1.36.12
)
