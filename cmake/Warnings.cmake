# Strict warnings for our own code, errors where QDIT_WERROR says so (CI, developers; not users' compilers).
function(qdit_enable_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Wdouble-promotion)
  if(QDIT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
